//! refinery's own asynchronous runner on a folder and a URL.
//!
//! `pending FOLDER URL`: prints how many migrations it would apply. When that is none it runs, so that refinery itself
//! checks names and checksums, and must apply nothing; otherwise it exits with 3 and changes nothing.
//! `apply FOLDER URL COUNT`: applies so many of the first ones and prints their names and checksums.

use refinery::{Migration, Runner, Target};
use tokio_postgres::{Client, NoTls};

type Failure = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, folder, url, rest @ ..] = arguments.as_slice() else {
        return Err("usage: pending FOLDER URL | apply FOLDER URL COUNT".into());
    };
    let migrations = refinery::load_sql_migrations(folder)?;
    let (mut client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    match (mode.as_str(), rest) {
        ("pending", []) => pending(&mut client, &migrations).await,
        ("apply", [count]) => apply(&mut client, &migrations, count.parse()?).await,
        _ => Err("usage: pending FOLDER URL | apply FOLDER URL COUNT".into()),
    }
}

async fn pending(client: &mut Client, migrations: &[Migration]) -> Result<(), Failure> {
    let runner = Runner::new(migrations);
    let applied = runner.get_applied_migrations_async(client).await?;
    let pending = migrations.iter().filter(|migration| !applied.iter().any(|row| row.version() == migration.version()));
    let pending = pending.count();
    println!("{pending}");
    if pending > 0 {
        std::process::exit(3);
    }
    let report = runner.run_async(client).await?;
    match report.applied_migrations().len() {
        0 => Ok(()),
        count => Err(format!("refinery applied {count} migrations").into()),
    }
}

async fn apply(client: &mut Client, migrations: &[Migration], count: usize) -> Result<(), Failure> {
    let last = migrations.get(count.wrapping_sub(1)).ok_or("COUNT is larger than the folder")?;
    let runner = Runner::new(migrations).set_target(Target::Version(last.version()));
    for migration in runner.run_async(client).await?.applied_migrations() {
        println!("{migration} {}", migration.checksum());
    }
    Ok(())
}
