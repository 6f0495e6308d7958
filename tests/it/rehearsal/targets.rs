//! Targets: their schema is copied or the rehearsal is refused, and they are only read.
