(* A check of risk: it sees each signal of the model, and says whether the desk may act on it. *)

open Polyglot_messages
open Mycelium

module Risk = struct
  type config = { limit : float; verdicts : Verdict.t Publisher.t }
  type state = { config : config; refused : int }

  let started config = { config; refused = 0 }

  let signal state (signal : Signal.t) =
    let approved = Float.abs signal.score <= state.config.limit in
    let refused = if approved then state.refused else state.refused + 1 in
    Publisher.publish state.config.verdicts { Verdict.number = signal.number; approved; refused };
    { state with refused }

  let handle = Actor.[ on (module Signal) signal ]
  let stopping _ _ = ()
end

let configure runtime = { Risk.limit = 1.5; verdicts = Mycelium.publisher runtime (module Verdict) }
let () = Hosted.register "risk" (module Risk) configure
