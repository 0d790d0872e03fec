//! What a validator's service and clients ask the runtime.

use hippius_primitives::{
	collector::WindowDraw, heartbeat::Window, traits::LivenessState, NodeIndex,
};

sp_api::decl_runtime_apis! {
	/// The course of windows, and who collects in them.
	pub trait HeartbeatsApi {
		/// Blocks of a window, and beats due in it; `None` on a chain whose genesis lacks heartbeats.
		fn terms() -> Option<(u32, u8)>;

		/// The validators of a window and the seed by which
		/// [`collectors_of`](hippius_primitives::heartbeat::collectors_of) draws from them; `None`
		/// before it opens and after it is settled.
		fn window(window: Window) -> Option<WindowDraw>;

		/// How a node is doing, and beats seen and due in the last 30 days.
		fn standing(node: NodeIndex) -> (LivenessState, Option<(u32, u32)>);
	}
}
