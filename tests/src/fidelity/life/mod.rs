//! The lives of TrainJobs on the sandbox and on a real control plane: the same story is played on both, and what there
//! is at each of its moments is compared object by object.

pub mod allowed;
mod difference;
mod picture;
mod stage;
mod stories;
pub mod world;

use std::future::Future;
use std::pin::Pin;

use crate::place::Place;
pub use allowed::{ALLOWED, Allowed};
pub use picture::Picture;
pub use stage::Stage;
pub use stories::CASES;

/// A story as it is played on one place.
pub type Story = for<'a> fn(&'a mut Stage) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// What there was at each named moment of a story.
pub type Moments = Vec<(String, Picture)>;

/// A story, and how much of the control plane it needs.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name, as tests show it.
    pub name: &'static str,
    /// How many of the twelve GPUs it occupies at most. Twelve: it must not run beside another one that needs any.
    pub gpus: u8,
    /// Plays it.
    pub story: Story,
}

/// What a comparison found.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// Differences that should not be there, as `moment: object: path: real X, sandbox Y`.
    pub differences: Vec<String>,
    /// The rows of `FIDELITY.md` that showed.
    pub rows: Vec<&'static str>,
}

impl Case {
    /// Plays the story on both places, in a namespace that is not there yet; the differences, none when both tell the same.
    ///
    /// # Panics
    /// When a moment of the story does not come.
    pub async fn compare(&self, namespace: &str, real: &Place, sandbox: &Place) -> Comparison {
        let (real, sandbox) = tokio::join!(self.play(real, namespace), self.play(sandbox, namespace));
        compare(&real, &sandbox)
    }

    /// Plays the story on one place and leaves nothing behind.
    ///
    /// # Panics
    /// When a moment of the story does not come.
    pub async fn play(&self, place: &Place, namespace: &str) -> Moments {
        let mut stage = Stage::open(place.clone(), namespace).await;
        (self.story)(&mut stage).await;
        stage.close().await
    }
}

/// The differences between two tellings of a story.
#[must_use]
pub fn compare(real: &Moments, sandbox: &Moments) -> Comparison {
    let mut found = Comparison::default();
    for ((moment, real), (_, sandbox)) in real.iter().zip(sandbox) {
        for difference in difference::between(real, sandbox) {
            match allowed::row(moment, &difference) {
                Some(row) if found.rows.contains(&row) => {}
                Some(row) => found.rows.push(row),
                None => found.differences.push(format!("{moment}: {difference}")),
            }
        }
    }
    found
}

/// A namespace that no other run has.
#[must_use]
pub fn namespace(case: &str) -> String {
    let now = jiff::Timestamp::now().as_microsecond();
    let letters = case.chars().filter(char::is_ascii_alphanumeric).take(12);
    let short = letters.collect::<String>().to_lowercase();
    format!("life-{short}-{:x}", now & 0xff_ffff_ffff)
}
