//! The thin command: everything is in the library's `cli`.

fn main() -> std::process::ExitCode {
    switchback::cli::main()
}
