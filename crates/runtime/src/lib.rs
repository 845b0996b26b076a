//! Clock, dice, reconnect delays and the order of start and stop.
