//! Pages of the manual that are rendered from the code, so that they cannot tell anything else. `make docs` writes
//! them again.

mod errors;
mod metrics;
