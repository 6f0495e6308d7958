//! The thin command: parses nothing, decides nothing yet.
fn main() {}
