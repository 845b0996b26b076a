//! The in-memory reference passes the suite of the engines.

use otter_store_testkit::MemoryBench;

otter_store_testkit::store_suite!(MemoryBench::open);
