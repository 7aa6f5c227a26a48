//! What changed, as crane reads both images.

use ghcr_double::Double;

use super::world::Crane;
use crate::changes::are_those_that_are_read;
use crate::changes::images::Reader;
use crate::publication::NAME;

struct ReadByCrane {
    crane: Crane,
    image: String,
}

impl Reader for ReadByCrane {
    fn manifest(&self, digest: &str) -> Vec<u8> {
        let reference = format!("{}@{digest}", self.image);
        self.crane.bytes(&["manifest", &reference])
    }

    fn config(&self, digest: &str) -> Vec<u8> {
        let reference = format!("{}@{digest}", self.image);
        self.crane.bytes(&["config", &reference])
    }
}

fn crane(double: &Double) -> Box<dyn Reader + '_> {
    let crane = Crane::new(&double.host());
    let image = format!("{}/{NAME}", double.host());
    Box::new(ReadByCrane { crane, image })
}

#[test]
fn changes_are_those_that_crane_reads() {
    are_those_that_are_read(crane);
}
