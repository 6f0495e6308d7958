//! `switchback doctor`: what this machine and project lack.
