(* Actors under supervisors: restarts, reasons, asks, timers, watches, and ten thousand lives. *)

open Ocaml_desk_messages
open Mycelium

exception Bad_price of float

let lives = Atomic.make 0
let ends : string list ref = ref []

module Totals = struct
  type config = { totals : Total.t Publisher.t }
  type state = { config : config; life : int; count : int64; batches : int }

  let started config =
    Self.schedule_after ~ns:1 1;
    Self.schedule_after ~ns:3_600_000_000_000 2;
    if not (Self.cancel 2) || Self.cancel 2 then failwith "cancel";
    { config; life = 1 + Atomic.fetch_and_add lives 1; count = 0L; batches = 0 }

  let on_trade state (trade : Trade.t) =
    if trade.price < 0.0 then raise (Bad_price trade.price);
    let state = { state with count = Int64.succ state.count } in
    Publisher.publish state.config.totals { Total.count = state.count; life = state.life };
    state

  let asked state (ask : Ask.t) =
    match ask.what with
    | "count" -> (state, { Total.count = state.count; life = state.life })
    | "batches" -> (state, { Total.count = Int64.of_int state.batches; life = state.life })
    | "stop" ->
        Self.stop ();
        (state, { Total.count = 0L; life = 0 })
    | what -> invalid_arg what

  let handle =
    [
      Actor.on (module Trade) on_trade;
      Actor.told (module News) (fun state news -> { state with count = Int64.of_string news.text });
      Actor.answer (module Ask) (module Total) asked;
      Actor.timer (fun state number -> if number = 1 then state else failwith "another timer");
      Actor.batch_ended (fun state -> { state with batches = state.batches + 1 });
    ]

  let stopping state reason = ends := Printf.sprintf "%d: %s" state.life reason :: !ends
end

let backoff = { Supervisor.initial = 0.001; cap = 0.001; jitter = 0.0; reset_after = 60.0 }

let tree ?(intensity = (100, 10.0)) ?(backoff = backoff) rt children =
  Supervisor.start rt (Supervisor.create ~intensity ~backoff "desk" children)

let totals ?restart ?attempts rt =
  Supervisor.actor ?restart ?attempts "totals" (module Totals) { Totals.totals = Mycelium.publisher rt (module Total) }

let ask rt what = Address.ask ~timeout:Check.watchdog (Address.find rt "desk/totals") (module Ask) { Ask.what } (module Total)

let an_exception_restarts_an_actor_and_its_mailbox_survives () =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  ends := [];
  Atomic.set lives 0;
  let totals_ = Mycelium.reader rt (module Total) in
  let tree = tree rt [ totals rt ] in
  let out = Mycelium.publisher rt (module Trade) in
  List.iter (fun price -> Publisher.publish out (Check.trade ~price 1)) [ 1.0; 2.0; -3.0; 4.0; 5.0; 6.0 ];
  let answer = ask rt "count" in
  Check.int "what came behind the failure is the next life's" 3 (Int64.to_int answer.count);
  Check.int "the second life" 2 answer.life;
  Check.true_ "its end says why" (List.exists (fun text -> Check.contains text "1: failed: Actors_test.Bad_price(-3.") !ends
     || List.exists (fun text -> Check.contains text "Bad_price") !ends);
  Check.true_ "with its backtrace" (List.exists (fun text -> Check.contains text "actors_test.ml") !ends);
  let seen = ref [] in
  ignore (Reader.drain totals_ (fun (t : Total.t) -> seen := (t.life, Int64.to_int t.count) :: !seen));
  Check.true_ "published by both" (List.rev !seen = [ (1, 1); (1, 2); (2, 1); (2, 2); (2, 3) ]);
  Address.tell (Address.find rt "desk/totals") (module News) { News.text = "40" };
  Check.int "told" 40 (Int64.to_int (ask rt "count").count);
  (* One goes on as long as something waits: the next question may come before the last batch has ended. *)
  Check.until "batches" (fun () -> (ask rt "batches").count > 0L);
  Check.wrong "an answer that fails" Callback "Invalid_argument(\"nonsense\")" (fun () -> ask rt "nonsense");
  Check.int "and ends nothing" 2 (ask rt "count").life;
  Check.wrong "another query" Callback "no message with type id 3" (fun () ->
      Address.ask (Address.find rt "desk/totals") (module News) { News.text = "" } (module Total));
  Tree.shutdown tree;
  Check.true_ "ended" (Tree.ended tree <> None);
  Check.string "its last words" "2: was shut down" (List.hd !ends)

let restart_types_and_redelivery () =
  let with_ ?restart ?attempts is_over =
    Runtime.run (Check.runtime ()) @@ fun rt ->
    Atomic.set lives 0;
    let tree = tree rt [ totals ?restart ?attempts rt ] in
    let totals = Address.find rt "desk/totals" and out = Mycelium.publisher rt (module Trade) in
    List.iter (fun price -> Publisher.publish out (Check.trade ~price 1)) [ -1.0; 1.0 ];
    is_over rt totals;
    ignore tree;
    Atomic.get lives
  in
  (* It answers when it has handled both. *)
  let answers rt _ = Check.int "handled" 1 (Int64.to_int (ask rt "count").count) in
  let ends _ totals = Check.until "it has ended" (fun () -> not (Address.is_alive totals)) in
  Check.int "temporary" 1 (with_ ~restart:Temporary ends);
  Check.int "transient" 2 (with_ ~restart:Transient answers);
  Check.int "three attempts" 4 (with_ ~attempts:3 answers)

module Watcher = struct
  type config = Runtime.t * string option ref
  type state = config

  let started ((rt, _) as config) =
    Self.watch (Address.find rt "desk/totals") 5;
    config

  let handle =
    [
      Actor.down (fun ((_, seen) as state) number why ->
          seen := Some (Printf.sprintf "%d %s" number why);
          state);
    ]

  let stopping _ _ = ()
end

let one_watches_another_that_stops () =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  let seen = ref None in
  let desk = [ totals ~restart:Transient rt; Supervisor.actor "watcher" (module Watcher) (rt, seen) ] in
  let _tree = tree rt desk in
  let totals = Address.find rt "desk/totals" in
  Check.true_ "alive" (Address.is_alive totals);
  ignore (ask rt "stop");
  Check.until "the end is seen" (fun () -> !seen <> None);
  Check.string "by number" "5" (String.sub (Option.get !seen) 0 1);
  Check.until "dead" (fun () -> not (Address.is_alive totals))

module Never = struct
  type config = unit
  type state = unit

  let started () = failwith "no database"
  let handle = []
  let stopping () _ = ()
end

let what_does_not_start_says_why () =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  Check.wrong "a failed start" Tree "no database" (fun () ->
      Supervisor.start rt (Supervisor.create "desk" [ Supervisor.actor "never" (module Never) () ]));
  let inner = Supervisor.create ~strategy:One_for_all "inner" [ totals rt ] in
  let outer = Supervisor.create ~strategy:Rest_for_one ~backoff "outer" [ Supervisor.below inner ] in
  (* A description is not used up. *)
  for _ = 1 to 2 do
    let tree = Supervisor.start rt outer in
    Tree.terminate tree "outer/inner/totals";
    Tree.restart tree "outer/inner/totals";
    Check.true_ "at its path" (Address.is_alive (Address.find rt "outer/inner/totals"));
    Tree.shutdown tree
  done

let ten_thousand_restarts_leave_nothing_behind () =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  ends := [];
  Atomic.set lives 0;
  let _tree = tree ~intensity:(1_000_000, 1.0) ~backoff:{ backoff with initial = 0.0; cap = 0.0 } rt [ totals rt ] in
  let out = Mycelium.publisher rt (module Trade) in
  let crash until_ =
    while Atomic.get lives < until_ do
      Publisher.publish out (Check.trade ~price:(-1.0) 1);
      ends := [];
      let answered = ask rt "count" in
      ignore answered
    done;
    Gc.compact ()
  in
  crash 1_000;
  let threads = Check.status "Threads" and memory = Check.status "VmRSS" in
  crash 10_000;
  (* Fewer are no fault: one of a test before may have ended meanwhile. *)
  Check.true_ "no more threads" (Check.status "Threads" <= threads);
  Check.grown_since memory ~most:4_096 "after 9,000 more restarts"

let () =
  Check.run "an exception restarts an actor and its mailbox survives" an_exception_restarts_an_actor_and_its_mailbox_survives;
  Check.run "restart types and redelivery" restart_types_and_redelivery;
  Check.run "one watches another that stops" one_watches_another_that_stops;
  Check.run "what does not start says why" what_does_not_start_says_why;
  Check.run "ten thousand restarts leave nothing behind" ten_thousand_restarts_leave_nothing_behind
