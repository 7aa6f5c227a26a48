//! `Trial`: lets the columns do the same work in alternating rounds, and keeps what each run took.

use crate::actions::Action;
use crate::figure::{Figure, Unit};
use crate::meter::Meter;
use crate::network::Network;
use crate::price;
use crate::row::{Role, Row};
use crate::world::{World, variable};

use ghcr_double::Endpoint;

/// How often each column runs, after a run that is not counted, unless `ROUNDS=` says less.
pub(crate) const ROUNDS: usize = 9;
/// The same for the rows of the picture.
pub(crate) const ROUNDS_OF_GROWTH: usize = 3;

/// What the row of a time with all that a job pays is called.
pub(crate) const WHOLE_PRICE: &str = "whole price";

/// How often each column does the work, and how far away the registry is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trial {
    pub(crate) network: Network,
    pub(crate) rounds: usize,
}

impl Trial {
    pub(crate) fn new(network: Network) -> Self {
        Self {
            network,
            rounds: rounds(),
        }
    }

    pub(crate) fn of_growth(network: Network) -> Self {
        Self {
            network,
            rounds: rounds().min(ROUNDS_OF_GROWTH),
        }
    }

    /// Every column once, then all again; the requests are those to the registry of all rows.
    pub(crate) fn run(self, world: &World, columns: &Columns<'_>) -> Measured {
        let double = &world.double;
        let run = |column: &Contender<'_>, round| {
            double.clear_requests();
            let mut meter = Meter::default();
            column(round, &mut meter);
            meter.requests = double.count(Endpoint::Any);
            meter
        };
        let mut measured = columns.each_ref().map(|_| Vec::new());
        self.network.apply(double);
        for round in 0..=self.rounds {
            for (column, meters) in columns.iter().zip(&mut measured) {
                meters.extend(column.as_ref().map(|column| run(column, round)));
            }
        }
        double.clear_script();
        let [ours, plain, actions] = measured.map(|meters| Series::after_the_first(&meters));
        Measured {
            ours: ours.expect("the first column is always there"),
            plain,
            actions,
        }
    }
}

pub(crate) fn rounds() -> usize {
    variable("ROUNDS").map_or(ROUNDS, |rounds| {
        let rounds: usize = rounds.parse().expect("`ROUNDS` is a number");
        rounds.max(1)
    })
}

/// One way to do the work; the number is that of the round.
pub(crate) type Contender<'a> = Box<dyn Fn(usize, &mut Meter) + 'a>;

/// Ours, the plain tool and the usual actions.
pub(crate) type Columns<'a> = [Option<Contender<'a>>; 3];

/// The runs of one column.
pub(crate) struct Series(Vec<Meter>);

impl Series {
    fn after_the_first(meters: &[Meter]) -> Option<Self> {
        let (_, counted) = meters.split_first()?;
        Some(Self(counted.to_vec()))
    }

    pub(crate) fn time(&self) -> Figure {
        self.figure(Unit::Seconds, |meter| meter.time.as_secs_f64())
    }

    pub(crate) fn peak(&self) -> Figure {
        self.figure(Unit::Bytes, |meter| meter.peak as f64)
    }

    pub(crate) fn requests(&self) -> Figure {
        self.figure(Unit::Requests, |meter| meter.requests as f64)
    }

    fn figure(&self, unit: Unit, value: fn(&Meter) -> f64) -> Figure {
        Figure::of(unit, self.0.iter().map(value).collect())
    }
}

/// The runs of all columns.
pub(crate) struct Measured {
    pub(crate) ours: Series,
    pub(crate) plain: Option<Series>,
    pub(crate) actions: Option<Series>,
}

impl Measured {
    pub(crate) fn row(&self, what: impl Into<String>, of: fn(&Series) -> Figure) -> Row {
        Row {
            plain: self.plain.as_ref().map(of),
            actions: self.actions.as_ref().map(of),
            ..Row::alone(what, of(&self.ours))
        }
    }

    /// The time with what a job pays before and after it, if the image of this action is known: downloads and
    /// containers for ours, downloads for `actions`.
    pub(crate) fn whole(&self, what: &str, world: &World, actions: &[&Action]) -> Option<Row> {
        let price = world.price()?;
        let time = self.row(format!("{what}: {WHOLE_PRICE}"), Series::time);
        let whole = Row {
            ours: time.ours.plus(price.seconds()),
            actions: time
                .actions
                .map(|time| time.plus(price::of_archives(actions))),
            ..time
        };
        Some(whole.with(Role::WholePrice))
    }

    /// Time, whole price, requests and memory.
    pub(crate) fn rows(&self, what: &str, world: &World, actions: &[&Action]) -> Vec<Row> {
        let row = |figure: &str, of| self.row(format!("{what}: {figure}"), of);
        let peak = row("peak memory", Series::peak).with(Role::PeakMemory);
        let time = [row("time", Series::time)].into_iter();
        time.chain(self.whole(what, world, actions))
            .chain([row("requests", Series::requests), peak])
            .collect()
    }
}
