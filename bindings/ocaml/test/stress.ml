(* The collector at its worst: a small heap, a compaction in callbacks, runtimes that end while messages fly.
   Run with OCAMLRUNPARAM=s=4k as well. *)

open Ocaml_desk_messages
open Mycelium

module Keeper = struct
  type config = unit
  type state = string list

  let started () = []

  let handle =
    [
      Actor.on (module News) (fun kept news ->
          if String.length news.text mod 97 = 0 then Gc.compact ();
          if String.length news.text mod 31 = 0 then failwith news.text;
          if List.length kept > 50 then [ news.text ] else news.text :: kept);
      Actor.answer (module Ask) (module Total) (fun kept _ ->
          (kept, { Total.count = Int64.of_int (List.length kept); life = 0 }));
    ]

  let stopping kept why = ignore (String.concat why kept)
end

(* Values, closures and states move while they are called. *)
let the_collector_moves_all_and_nothing_is_lost random () =
  Runtime.run ~deadline:Check.watchdog (Check.runtime ~topic_capacity:64 ()) @@ fun rt ->
  let backoff = { Supervisor.initial = 0.0; cap = 0.0; jitter = 0.0; reset_after = 1.0 } in
  let keeper = Supervisor.actor ~capacity:16 "keeper" (module Keeper) () in
  let _tree = Supervisor.start rt (Supervisor.create ~intensity:(1_000_000, 1.0) ~backoff "desk" [ keeper ]) in
  let sums = Array.make 3 0 in
  let subscriptions =
    List.init 3 (fun at ->
        Mycelium.subscribe rt
          (module News)
          (fun news ->
            if Random.bits () land 255 = 0 then Gc.compact ();
            sums.(at) <- sums.(at) + String.length news.text))
  in
  let out = Mycelium.publisher rt (module News) and wanted = ref 0 in
  let address = Address.find rt "desk/keeper" in
  for n = 1 to 3_000 do
    let len = Random.State.int random 300 in
    wanted := !wanted + len;
    Publisher.publish out { News.text = String.make len 'n' };
    if n mod 100 = 0 then (
      Gc.compact ();
      ignore (Address.ask ~timeout:Check.watchdog address (module Ask) { Ask.what = "" } (module Total)))
  done;
  Check.until "all is called" (fun () -> Array.for_all (( = ) !wanted) sums);
  Check.int "failures" 0 (Runtime.failures rt);
  List.iter Subscription.cancel subscriptions

(* Each runtime is closed by one thread while others publish to it and its callbacks run. *)
let runtimes_end_while_messages_fly () =
  for _ = 1 to 25 do
    let rt = Check.runtime ~topic_capacity:32 () in
    let called = Atomic.make 0 and published = Atomic.make 0 in
    ignore
      (Mycelium.subscribe rt
         (module Trade)
         (fun trade ->
           ignore (String.make (Check.number trade) 'x');
           Atomic.incr called));
    let publish () =
      try
        let out = Mycelium.publisher rt (module Trade) in
        for n = 1 to 100_000 do
          Publisher.publish out (Check.trade (n land 63));
          Atomic.incr published
        done
      with Error (Closed, _) -> ()
    in
    let threads = List.init 2 (fun _ -> Thread.create publish ()) in
    Check.until "they fly" (fun () -> Atomic.get called > 20);
    Runtime.close ~deadline:Check.watchdog rt;
    List.iter Thread.join threads;
    Check.true_ "what was published was called"
      (Atomic.get called >= Atomic.get published && Atomic.get called <= Atomic.get published + 2)
  done

(* What nobody holds is collected: readers, addresses, closures. *)
let nothing_grows () =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  let out = Mycelium.publisher rt (module Trade) in
  let turn () =
    let big = Bytes.create 100_000 in
    let heard = Mycelium.subscribe rt (module Trade) (fun _ -> ignore (Bytes.length big)) in
    let reader = Mycelium.reader rt (module Trade) in
    Publisher.publish out (Check.trade 1);
    ignore (Reader.poll reader);
    Subscription.cancel heard;
    if Random.bool () then Reader.close reader
  in
  let some count =
    for _ = 1 to count do
      turn ()
    done;
    Gc.full_major ();
    Gc.full_major ();
    Gc.compact ()
  in
  some 100;
  let before = Check.status "VmRSS" in
  some 1_000;
  Check.grown_since before ~most:8_192 "a thousand subscriptions with 100 kB each"

let () =
  let random = Check.random "stress" in
  Check.run "the collector moves all and nothing is lost" (the_collector_moves_all_and_nothing_is_lost random);
  Check.run "runtimes end while messages fly" runtimes_end_while_messages_fly;
  Check.run "nothing grows" nothing_grows;
  (* At the end of the program a runtime is open, and its callbacks run. *)
  let rt = Check.runtime () in
  let count = ref 0 in
  ignore (Mycelium.subscribe rt (module Trade) (fun _ -> incr count));
  at_exit (fun () -> ());
  let out = Mycelium.publisher rt (module Trade) in
  for n = 1 to 100 do
    Publisher.publish out (Check.trade n)
  done
