//! `arion-miner init`: makes a miner's directory.

use crate::{
	config::Config,
	files::{self, BasePath},
	MinerError,
};
use arion_grid::Identity;
use hippius_primitives::NodeKey;

/// Makes settings, node key and control token in `base`. Nothing that exists is overwritten; if
/// any of the three is there, nothing is made.
pub fn init(base: &BasePath, config: &Config) -> Result<NodeKey, MinerError> {
	config.validate()?;
	for path in [base.config(), base.node_key(), base.token()] {
		if path
			.try_exists()
			.map_err(MinerError::io("look at", &path))?
		{
			return Err(MinerError::Exists(path));
		}
	}
	files::make_dir(&base.0)?;
	files::make_dir(&base.map())?;
	let identity = Identity::generate()?;
	identity.save(&base.node_key())?;
	files::write_new(
		&base.token(),
		format!("{}\n", files::new_token()?).as_bytes(),
	)?;
	// Last: a directory with settings is a complete one.
	files::write_new(&base.config(), config.render().as_bytes())?;
	Ok(identity.node_key())
}
