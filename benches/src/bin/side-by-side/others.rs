//! Programs that are measured through a pipe: those in other languages and on other runtimes in
//! `benches/others`, and this one again where a process of its own is needed.
//!
//! They speak one line at a time. A program begins with the names of the workloads that it can do, on one
//! line; behind a name may stand `/1` if it does it with one worker only. Then, for each line
//! `WORKLOAD WORKERS ROUNDS`, it does so many rounds, once warmed up, and answers with the figure: nanoseconds per
//! operation, or bytes. It ends at the end of its input.

use std::{
    collections::BTreeSet,
    env,
    io::{self, BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use tasca_benches::workloads;

/// How a program is built, if it has to be, and started; in its folder of `benches/others`.
struct Recipe {
    name: &'static str,
    folder: &'static str,
    build: &'static [&'static str],
    run: &'static [&'static str],
}

/// What stands for the Python interpreter: `python3`, or what the variable `PYTHON` says.
const PYTHON: &str = "$PYTHON";

const RECIPES: [Recipe; 6] = [
    rust("glommio", &["target/release/peer", "glommio"]),
    rust("monoio", &["target/release/peer", "monoio"]),
    rust("may", &["target/release/peer", "may"]),
    Recipe {
        name: "go",
        folder: "go",
        build: &["go", "build", "-o", "peer", "."],
        run: &["./peer"],
    },
    Recipe {
        name: "asyncio",
        folder: "python",
        build: &[],
        run: &[PYTHON, "peer.py"],
    },
    Recipe {
        name: "uvloop",
        folder: "python",
        build: &[],
        run: &[PYTHON, "peer.py", "--uvloop"],
    },
];

const fn rust(name: &'static str, run: &'static [&'static str]) -> Recipe {
    Recipe {
        name,
        folder: "rust",
        build: &["cargo", "build", "--release", "--locked"],
        run,
    }
}

/// A program that runs and waits for questions.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    workloads: BTreeSet<String>,
}

impl Program {
    /// Starts all programs of `benches/others` that can be; says of the rest why not.
    pub(crate) fn start_all() -> Vec<Self> {
        let mut programs = Vec::new();
        for recipe in RECIPES {
            match Self::from_recipe(&recipe) {
                Ok(program) => programs.push(program),
                Err(message) => eprintln!("# without {}: {message}", recipe.name),
            }
        }
        programs
    }

    fn from_recipe(recipe: &Recipe) -> Result<Self, String> {
        let folder = [env!("CARGO_MANIFEST_DIR"), "others", recipe.folder];
        let folder: PathBuf = folder.iter().collect();
        if let [program, args @ ..] = recipe.build {
            let output = Command::new(program)
                .args(args)
                .current_dir(&folder)
                // It is looked for in its own folder.
                .env_remove("CARGO_TARGET_DIR")
                .output()
                .map_err(|error| format!("cannot run {program}: {error}"))?;
            if !output.status.success() {
                let text = String::from_utf8_lossy(&output.stderr);
                let last = text.lines().rfind(|line| !line.is_empty());
                return Err(format!("does not build: {}", last.unwrap_or_default()));
            }
        }
        let (program, args) = recipe.run.split_first().ok_or("nothing to run")?;
        let program = if *program == PYTHON {
            env::var_os("PYTHON").map_or_else(|| "python3".into(), PathBuf::from)
        } else {
            folder.join(program)
        };
        Self::start(
            recipe.name,
            Command::new(program).args(args).current_dir(folder),
        )
    }

    /// This program again, in a new process, for a runtime in it.
    pub(crate) fn fresh(runtime: &'static str) -> Result<Self, String> {
        let program = env::current_exe().map_err(|error| error.to_string())?;
        let mut program = Self::start(runtime, Command::new(program).arg("--serve"))?;
        program.ask(runtime)?;
        Ok(program)
    }

    fn start(name: &'static str, command: &mut Command) -> Result<Self, String> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot be started: {error}"))?;
        let questions = process.stdin.take().ok_or("no input")?;
        let answers = BufReader::new(process.stdout.take().ok_or("no output")?);
        let mut program = Self {
            name,
            process,
            questions,
            answers,
            workloads: BTreeSet::new(),
        };
        let line = program.hear()?;
        program.workloads = line.split(' ').map(str::to_owned).collect();
        Ok(program)
    }

    /// Whether it can do this workload with so many workers.
    pub(crate) fn does(&self, workload: &str, workers: usize) -> bool {
        self.workloads.contains(workload)
            || (workers == 1 && self.workloads.contains(&format!("{workload}/1")))
    }

    /// Lets it do so many rounds.
    pub(crate) fn measure(
        &mut self,
        workload: &str,
        workers: usize,
        rounds: u64,
    ) -> Result<f64, String> {
        self.ask(&format!("{workload} {workers} {rounds}"))?;
        let answer = self.hear()?;
        answer
            .parse()
            .map_err(|_| format!("{} answered {workload} with {answer}", self.name))
    }

    fn ask(&mut self, question: &str) -> Result<(), String> {
        writeln!(self.questions, "{question}").map_err(|error| format!("{}: {error}", self.name))
    }

    fn hear(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(0) => Err(format!("{} has ended", self.name)),
            Ok(_) => Ok(line.trim().to_owned()),
            Err(error) => Err(format!("{}: {error}", self.name)),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has nothing to clean up; and if it has ended already, so much the better.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The other side, for this program: the first line of input names the runtime.
pub(crate) fn serve() -> Result<(), String> {
    let entries = workloads::all();
    let names: Vec<_> = entries.iter().map(|entry| entry.name).collect();
    println!("{}", names.join(" "));
    let mut lines = io::stdin().lines().map_while(Result::ok);
    let runtime = lines.next().ok_or("no runtime is named")?;
    for line in lines {
        let words: Vec<_> = line.split(' ').collect();
        let &[workload, workers, rounds] = words.as_slice() else {
            return Err(format!("not a question: {line}"));
        };
        let case = entries
            .iter()
            .find(|entry| entry.name == workload)
            .and_then(|entry| entry.cases.iter().find(|case| case.runtime == runtime))
            .ok_or_else(|| format!("{runtime} has no workload {workload}"))?;
        let number = |word: &str| {
            word.parse::<u64>()
                .map_err(|_| format!("{word} is no number"))
        };
        let workers = number(workers)? as usize;
        println!("{}", (case.measure)(workers, number(rounds)?));
    }
    Ok(())
}
