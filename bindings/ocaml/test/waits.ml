(* What waits for actors that do not go on: handlers of signals run meanwhile, and one that raises ends it. *)

open Ocaml_desk_messages
open Mycelium

(* Begins, and handles a message, when it may. *)
module Slow = struct
  type config = { starts : bool Atomic.t; goes_on : bool Atomic.t; begun : int Atomic.t }
  type state = config

  let wait_for flag =
    while not (Atomic.get flag) do
      Thread.delay 0.001
    done

  let started config =
    wait_for config.starts;
    config

  let handle =
    [
      Actor.told
        (module Trade)
        (fun config _ ->
          Atomic.incr config.begun;
          wait_for config.goes_on;
          config);
    ]

  let stopping _ _ = ()
end

let slow starts = { Slow.starts = Atomic.make starts; goes_on = Atomic.make false; begun = Atomic.make 0 }

(* The tree of a slow actor, which handles a message. *)
let at_work rt name =
  let config = slow true in
  let it = Supervisor.actor ~shutdown:Check.watchdog "it" (module Slow) config in
  let tree = Supervisor.start rt (Supervisor.create name [ it ]) in
  Address.tell (Address.find rt (name ^ "/it")) (module Trade) (Check.trade 1);
  Check.until "it works" (fun () -> Atomic.get config.begun = 1);
  (config, tree)

let signals_end_waits_for_trees () =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  let never = slow false in
  let starting = Supervisor.create "never" [ Supervisor.actor "it" (module Slow) never ] in
  Check.interrupted "a start" (fun () -> Supervisor.start rt starting);
  Atomic.set never.starts true;
  let config, tree = at_work rt "desk" in
  Check.interrupted "an end without a limit" (fun () -> Tree.ended ~timeout:infinity tree);
  Check.interrupted "an end" (fun () -> Tree.ended ~timeout:Check.watchdog tree);
  Check.interrupted "to terminate" (fun () -> Tree.terminate tree "desk/it");
  Atomic.set config.goes_on true;
  Check.until "the supervisor has done it all the same" (fun () ->
      match Tree.restart tree "desk/it" with () -> true | exception Error (Tree, _) -> false);
  Atomic.set config.goes_on false;
  Address.tell (Address.find rt "desk/it") (module Trade) (Check.trade 1);
  Check.until "it works again" (fun () -> Atomic.get config.begun = 2);
  Check.interrupted "a shutdown" (fun () -> Tree.shutdown ~deadline:Check.watchdog tree);
  Atomic.set config.goes_on true;
  Check.true_ "it goes on" (Tree.ended ~timeout:Check.watchdog tree <> None)

let signals_end_a_close () =
  let rt = Check.runtime () in
  let config, _ = at_work rt "desk" in
  Check.interrupted "a close" (fun () -> Runtime.close ~deadline:Check.watchdog rt);
  Check.true_ "it is closed all the same" (Runtime.is_closed rt);
  Atomic.set config.goes_on true;
  let rt = Check.runtime () and goes_on = Atomic.make false and begun = Atomic.make false in
  let hold _ =
    Atomic.set begun true;
    Slow.wait_for goes_on
  in
  ignore (Mycelium.subscribe rt (module Trade) hold);
  Publisher.publish (Mycelium.publisher rt (module Trade)) (Check.trade 1);
  Check.until "it is called" (fun () -> Atomic.get begun);
  Check.interrupted "a close with a callback" (fun () -> Runtime.close ~deadline:Check.watchdog rt);
  Atomic.set goes_on true

let () =
  Check.run "signals end waits for trees" signals_end_waits_for_trees;
  Check.run "signals end a close" signals_end_a_close
