(* The actors of the tests, under the names by which Rust finds them. *)

open Embedded_messages
open Mycelium

exception Not_a_number of int

(* What each life is made of. *)
type config = { tolds : Told.t Publisher.t; by : string }

let config by runtime = { tolds = Mycelium.publisher runtime (module Told); by }

module Model = struct
  type nonrec config = config
  type state = { config : config; handled : int }

  let started config = { config; handled = 0 }
  let fails number = if number < 0 then raise (Not_a_number number)

  let tick state (tick : Tick.t) =
    let number = Int64.to_int tick.number in
    if number = -2 then exit 3;
    fails number;
    Publisher.publish state.config.tolds { Told.number = tick.number; by = state.config.by };
    { state with handled = state.handled + 1 }

  let words state (query : Words.t) =
    let text =
      match query.text with
      | "thread" -> string_of_int (Thread.id (Thread.self ()))
      | "words" ->
          Gc.compact ();
          string_of_int (Gc.stat ()).live_words
      | "fail" -> failwith "no answer to that"
      | text -> Printf.sprintf "%d by %s: %s" state.handled state.config.by text
    in
    (state, { Words.text })

  let handle = Actor.[ on (module Tick) tick; answer (module Words) (module Words) words ]
  let stopping _ _ = ()
end

(* Fails at each number the first time. *)
module Retries = struct
  include Model

  let seen = ref []

  let tick state (tick : Tick.t) =
    if not (List.mem tick.number !seen) then (
      seen := tick.number :: !seen;
      raise (Not_a_number (Int64.to_int tick.number)));
    Model.tick state tick

  let handle = Actor.[ on (module Tick) tick ]
end

(* Takes its time, and lets others run. *)
module Slow = struct
  include Model

  let tick state tick =
    Thread.delay 0.005;
    Model.tick state tick

  let handle = Actor.[ on (module Tick) tick ]
end

(* Does not return from a number until it is set free. *)
module Stuck = struct
  include Model

  let free = ref false

  let tick state (tick : Tick.t) =
    if tick.number = 13L then (
      free := false;
      while not !free do
        Thread.delay 0.001
      done);
    Model.tick state tick

  let handle = Actor.[ on (module Tick) tick ]
end

module Frees = struct
  include Model

  let tick state tick =
    Stuck.free := true;
    Model.tick state tick

  let handle = Actor.[ on (module Tick) tick ]
end

(* Asks an actor of Rust. *)
module Asks = struct
  type config = { runtime : Runtime.t; tolds : Told.t Publisher.t }
  type state = config

  let started config = config

  let tick state (tick : Tick.t) =
    let rust = Address.find state.runtime "rust" in
    let answer = Address.ask ~timeout:60.0 rust (module Words) { Words.text = Int64.to_string tick.number } (module Words) in
    Publisher.publish state.tolds { Told.number = tick.number; by = answer.text };
    state

  let handle = Actor.[ on (module Tick) tick ]
  let stopping _ _ = ()
end

(* Recurses without end. *)
module Deep = struct
  include Model

  let rec deeper number = 1 + deeper (number + 1)

  let tick state (tick : Tick.t) = { state with handled = deeper (Int64.to_int tick.number) }
  let handle = Actor.[ on (module Tick) tick ]
end

(* Never starts. *)
module Never = struct
  include Model

  let started _ = failwith "no database"
end

(* Its messages are of another version of the contract. *)
module Foreign = struct
  include Model

  module Old = struct
    include Tick

    let digest = 1L
  end

  let handle = Actor.[ on (module Old) (fun state (_ : Tick.t) -> state) ]
end

(* Its bus calls back: it listens by itself, as long as the runtime is open. *)
let hears runtime =
  let config = config "hears" runtime in
  ignore
    (Mycelium.subscribe runtime (module Words) (fun words ->
         Publisher.publish config.tolds { Told.number = 0L; by = "heard " ^ words.text }));
  config

let () =
  Hosted.register "model" (module Model) (config "model");
  Hosted.register "retries" (module Retries) (config "retries");
  Hosted.register ~capacity:64 "slow" (module Slow) (config "slow");
  Hosted.register "stuck" (module Stuck) (config "stuck");
  Hosted.register "frees" (module Frees) (config "frees");
  Hosted.register "asks" (module Asks) (fun runtime ->
      { Asks.runtime; tolds = Mycelium.publisher runtime (module Told) });
  Hosted.register "deep" (module Deep) (config "deep");
  Hosted.register "never" (module Never) (config "never");
  Hosted.register "foreign" (module Foreign) (config "foreign");
  Hosted.register "hears" (module Model) hears;
  Hosted.register "raises" (module Model) (fun _ -> failwith "no limits file");
  match Hosted.register "model" (module Model) (config "again") with
  | () -> failwith "a name that is taken"
  | exception Error (Argument, _) -> assert (Hosted.is_hosted ())
