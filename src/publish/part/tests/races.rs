//! Jobs in every order, two at once with their requests in a random order, and one that is killed.

use std::cell::RefCell;

use super::*;

fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(count - 1);
    let with = |order: &Vec<usize>, place: usize| {
        let mut order = order.clone();
        order.insert(place, count - 1);
        order
    };
    let all = shorter
        .iter()
        .flat_map(|order| (0..count).map(move |place| with(order, place)));
    all.collect()
}

#[tokio::test]
async fn the_last_part_completes_the_image_in_every_order() {
    let orders = [2, 3, 5].into_iter().flat_map(orders);
    let all: Vec<Vec<usize>> = orders.collect();
    assert_eq!(all.len(), 2 + 6 + 120);
    let checks = all.iter().map(|order| async move {
        let run = Run::of(order.len());
        let (last, others) = order.split_last().unwrap();
        for job in others {
            let ended = run.job(PLATFORMS[*job], 1).await;
            assert_eq!(ended.error, None);
            assert!(!ended.has_completed() && !ended.part.missing.is_empty());
            assert_eq!(run.tags(), BTreeSet::new(), "{order:?}");
        }
        let ended = run.job(PLATFORMS[*last], 1).await;
        assert!(ended.part.missing.is_empty());
        run.require_one_image(&[&ended]).unwrap();
    });
    stream::iter(checks)
        .buffer_unordered(16)
        .collect::<Vec<()>>()
        .await;
}

/// Lets the requests of jobs pass in a random order until they have ended.
async fn interleaved(run: &Run, seed: u64) -> Vec<Ended> {
    let digests: Vec<String> = run
        .platforms
        .iter()
        .map(|one| run.double.put_platform_image(NAME, one))
        .collect();
    let gate = run.double.gate();
    let mut random = fastrand::Rng::with_seed(seed);
    let jobs = run.platforms.iter().zip(&digests);
    let jobs = jobs.map(|(platform, digest)| run.job_with(platform, 1, digest));
    let jobs = join_all(jobs);
    let director = async {
        loop {
            let waiting = gate.waiting().len();
            if waiting == 0 || (waiting == 1 && random.u8(..3) == 0) {
                let limit = Duration::from_millis(1);
                let _arrived = tokio::time::timeout(limit, gate.arrival()).await;
                continue;
            }
            gate.pass(random.usize(..waiting)).await;
        }
    };
    tokio::select! {
        ended = jobs => ended,
        () = director => unreachable!("it lets requests pass for ever"),
    }
}

#[tokio::test]
async fn two_jobs_that_end_together_make_one_image() {
    const SEEDS: u64 = 1000;
    let both = RefCell::new(0);
    let checks = (0..SEEDS).map(|seed| {
        let both = &both;
        async move {
            let run = Run::of(2);
            let ended = interleaved(&run, seed).await;
            let jobs: Vec<&Ended> = ended.iter().collect();
            assert_eq!(run.require_one_image(&jobs), Ok(()), "seed {seed}");
            if jobs.iter().all(|job| job.has_completed()) {
                *both.borrow_mut() += 1;
            }
        }
    });
    stream::iter(checks)
        .buffer_unordered(8)
        .collect::<Vec<()>>()
        .await;
    // Else nothing here would show that two finishers write the same.
    assert!(*both.borrow() > 50, "{} of {SEEDS}", both.borrow());
}

/// Lets `passed` requests of the job pass, then drops it: a runner that is gone.
async fn killed_after(run: &Run, platform: &str, passed: usize) -> bool {
    let digest = run.double.put_platform_image(NAME, platform);
    let gate = run.double.gate();
    let director = async {
        let mut left = passed;
        while left > 0 {
            match gate.waiting().len() {
                0 => gate.arrival().await,
                _ => {
                    gate.pass(0).await;
                    left -= 1;
                }
            }
        }
    };
    tokio::select! {
        biased;
        _ended = run.job_with(platform, 1, &digest) => true,
        () = director => false,
    }
}

#[tokio::test]
async fn a_killed_job_that_runs_again_completes_the_image() {
    let mut requests = 0;
    for number in 0.. {
        let run = Run::of(2);
        let first = run.job("linux/arm64", 1).await;
        assert!(!first.has_completed());
        let has_ended = killed_after(&run, "linux/amd64", number).await;
        let gate: std::sync::Arc<_> = run.double.gate();
        let open = async {
            loop {
                match gate.waiting().len() {
                    0 => gate.arrival().await,
                    _ => gate.pass(0).await,
                }
            }
        };
        let again = tokio::select! {
            again = run.job("linux/amd64", 2) => again,
            () = open => unreachable!("it lets requests pass for ever"),
        };
        assert_eq!(
            run.require_one_image(&[&again]),
            Ok(()),
            "killed after {number} requests"
        );
        if has_ended {
            requests = number;
            break;
        }
    }
    assert!(requests > 15, "a job makes {requests} requests");
}
