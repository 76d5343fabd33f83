//! Builds the models on mutated sources, and runs them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tasca_broken::{Copied, Trouble, Verdict, try_out};

use crate::sources::Sources;
use crate::weave::{Edit, weave};

/// A model that takes longer under a mutation counts as hung: none takes a tenth of it without.
const PATIENCE: Duration = Duration::from_secs(300);

/// A change of one file that models should notice.
#[derive(Clone, Debug)]
pub(crate) struct Mutant {
    pub(crate) file: String,
    pub(crate) edit: Edit,
}

/// A copy of the sources with all mutants woven in, and the models built on it.
#[derive(Debug)]
pub(crate) struct Bench {
    copied: Copied,
    copy: Sources,
    mutants: Vec<Mutant>,
    /// The files of the mutants, unwoven.
    texts: BTreeMap<String, String>,
    program: PathBuf,
    /// Those that need a build of their own.
    alone: Vec<usize>,
}

impl Bench {
    pub(crate) fn new(mutants: Vec<Mutant>) -> Result<Self, String> {
        let copied = Copied::new("tasca-mutations").map_err(text)?;
        let copy = Sources::below(copied.root());
        let mut edits: BTreeMap<&str, Vec<(usize, &Edit)>> = BTreeMap::new();
        for (number, mutant) in mutants.iter().enumerate() {
            let of_file = edits.entry(&mutant.file).or_default();
            of_file.push((number, &mutant.edit));
        }
        let (mut alone, mut texts) = (Vec::new(), BTreeMap::new());
        for (file, edits) in edits {
            let text = copy.read(file)?;
            let (woven, left) = weave(&text, &edits);
            copy.write(file, &woven)?;
            alone.extend(left);
            texts.insert(file.to_owned(), text);
        }
        let program = build(&copied)?
            .map_err(|errors| format!("the models do not compile with all mutations:\n{errors}"))?;
        let kept = copied.target().join("woven");
        fs::copy(program, &kept).map_err(|error| error.to_string())?;
        Ok(Self {
            copied,
            copy,
            mutants,
            texts,
            program: kept,
            alone,
        })
    }

    /// Which models come to each mutant, by number; and how long each takes, mutated nowhere.
    pub(crate) fn trace(&self, models: &[String]) -> Result<Vec<Reach>, String> {
        let reaches = side_by_side(models.len(), |index| {
            let model = &models[index];
            let file = self.copied.target().join(format!("reached-{index}"));
            fs::write(&file, "").map_err(|error| error.to_string())?;
            let begun = Instant::now();
            let verdict = run_model(
                Command::new(&self.program).env("TASCA_MUTATIONS_REACHED", &file),
                model,
            )?;
            if verdict != Verdict::Survived {
                return Err(format!("{model} fails as it is"));
            }
            let reached = fs::read_to_string(&file).map_err(|error| error.to_string())?;
            Ok(Reach {
                model: model.clone(),
                takes: begun.elapsed(),
                mutants: reached
                    .lines()
                    .filter_map(|line| line.parse().ok())
                    .collect(),
            })
        });
        reaches.into_iter().collect()
    }

    /// Tries the mutants, each with its models until one fails, and tells of each as it is done.
    pub(crate) fn try_out(
        &self,
        models_of: impl Fn(usize) -> Vec<String> + Sync,
        tell: impl Fn(usize, &Verdict) + Sync,
    ) -> Result<Vec<Verdict>, String> {
        let n_mutants = self.mutants.len();
        let verdicts = side_by_side(n_mutants, |number| {
            if self.alone.contains(&number) {
                return Ok(Verdict::Broken);
            }
            let verdict = self.judge(&self.program, number, &models_of(number))?;
            tell(number, &verdict);
            Ok(verdict)
        });
        let mut verdicts = verdicts.into_iter().collect::<Result<Vec<_>, String>>()?;
        for &number in &self.alone {
            let Mutant { file, edit } = &self.mutants[number];
            let woven = self.copy.read(file)?;
            self.copy.write(file, &edit.apply(&self.texts[file]))?;
            let built = build(&self.copied)?;
            self.copy.write(file, &woven)?;
            verdicts[number] = match built {
                Ok(program) => self.judge(&program, number, &models_of(number))?,
                Err(_) => Verdict::Broken,
            };
            tell(number, &verdicts[number]);
        }
        Ok(verdicts)
    }

    fn judge(&self, program: &Path, number: usize, models: &[String]) -> Result<Verdict, String> {
        for model in models {
            let mut command = Command::new(program);
            let verdict = run_model(command.env("TASCA_MUTATION", number.to_string()), model)?;
            if verdict.is_seen() {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Survived)
    }
}

/// What a model comes to.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    pub(crate) model: String,
    pub(crate) takes: Duration,
    pub(crate) mutants: Vec<usize>,
}

/// The results of a question for each number, asked on as many threads as there are cores: models run on one thread each.
fn side_by_side<T: Send>(n: usize, ask: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let n_threads = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let take_turns = || {
        std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)).filter(|at| *at < n))
            .map(|at| (at, ask(at)))
            .collect::<Vec<_>>()
    };
    let mut results: Vec<(usize, T)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(take_turns)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("nothing in here panics"))
            .collect()
    });
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The program of all models, or what the compiler says.
fn build(copied: &Copied) -> Result<Result<PathBuf, String>, String> {
    let words = [
        "--profile",
        "loom",
        "--package",
        "tasca-loom-tests",
        "--lib",
    ];
    copied.build(&words).map_err(text)
}

fn run_model(command: &mut Command, model: &str) -> Result<Verdict, String> {
    let command = command.args(["--exact", &format!("models::{model}")]);
    try_out(command, PATIENCE).map_err(text)
}

/// Threads hand over what is wrong as a text.
fn text(trouble: Trouble) -> String {
    trouble.to_string()
}
