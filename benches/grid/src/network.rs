//! A gateway in this process over the miners, and the objects stored through it.

use crate::{
	failed,
	miners::{Miners, GENESIS},
};
use arion_gateway::{
	catalog::Catalog, cluster::Cluster, config::Config, run::grid_config, Address, Gateway, Label,
	Object,
};
use arion_grid::{Grid, Identity};
use bench_harness::{BenchError, XorShift};
use bytes::Bytes;
use futures_util::{stream, TryStreamExt};
use std::{convert::Infallible, ops::Range, sync::Arc};

/// Bytes handed to a put at a time.
const PIECE: usize = 1 << 20;

/// A gateway that knows the miners' map.
pub(crate) fn gateway(
	miners: &Miners,
	name: &str,
	change: impl FnOnce(&mut Config),
) -> Result<Arc<Gateway>, BenchError> {
	let mut config = Config::default();
	change(&mut config);
	let identity = Identity::generate().map_err(failed("identity"))?;
	let address = ([127, 0, 0, 1], 0).into();
	let grid = Grid::bind(address, Arc::new(identity), grid_config(&config));
	let cluster = Cluster::fixed([miners.map.clone()], miners.nodes()).map_err(failed("map"))?;
	cluster.set_genesis(&GENESIS);
	let catalog = Catalog::open(&miners.folder().join(name)).map_err(failed("catalog"))?;
	Ok(Gateway::new(
		&config,
		grid.map_err(failed("grid"))?,
		Arc::new(cluster),
		catalog,
	))
}

/// Bytes that do not compress, the same on every run.
pub(crate) fn content(len: usize) -> Bytes {
	let mut bytes = vec![0; len];
	XorShift::new().fill(&mut bytes);
	bytes.into()
}

/// Stores an object and reads its manifest back.
pub(crate) async fn put(gateway: &Arc<Gateway>, bytes: &Bytes) -> Result<Arc<Object>, BenchError> {
	let pieces = (0..bytes.len())
		.step_by(PIECE)
		.map(|start| Ok::<_, Infallible>(bytes.slice(start..(start + PIECE).min(bytes.len()))));
	let label = Label {
		payer: None,
		name: "bench".into(),
		content_type: String::new(),
	};
	let stored = gateway.put(stream::iter(pieces), label).await;
	let stored = stored.map_err(failed("put"))?;
	open(gateway, &Address::Link(stored.link)).await
}

/// Reads a manifest.
pub(crate) async fn open(
	gateway: &Arc<Gateway>,
	address: &Address,
) -> Result<Arc<Object>, BenchError> {
	let object = gateway.find(address).await;
	Ok(Arc::new(object.map_err(failed("open"))?))
}

/// Reads a range to its end; the bytes are counted, and compared with `expected` if it is given.
pub(crate) async fn read(
	gateway: &Arc<Gateway>,
	object: &Arc<Object>,
	range: Range<u64>,
	expected: Option<&Bytes>,
) -> Result<u64, BenchError> {
	let mut at = range.start as usize;
	let pieces = gateway.read(object.clone(), range).map_err(failed("get"))?;
	let mut pieces = std::pin::pin!(pieces);
	let mut read = 0;
	while let Some(piece) = pieces.try_next().await.map_err(failed("get"))? {
		read += piece.len() as u64;
		if let Some(expected) = expected {
			if expected.get(at..at + piece.len()) != Some(&piece[..]) {
				return Err(BenchError::failed("get", "other bytes than were stored"));
			}
			at += piece.len();
		}
	}
	Ok(read)
}
