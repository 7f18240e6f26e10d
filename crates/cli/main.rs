//! `omiga`: from a dataset of logged multi-agent behaviour to running controllers.
fn main() {}
