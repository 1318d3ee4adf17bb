(* Domains of OCaml 5 publish, poll and ask at the same time, and close a runtime under each other. *)

open Ocaml_desk_messages
open Mycelium

let publishers = 3
let each = 20_000

let in_domains works = List.iter Domain.join (List.map Domain.spawn works)

(* Each domain has publishers of its own, or shares one; each reader is polled by one domain. *)
let domains_publish_and_poll_at_the_same_time () =
  Runtime.run ~deadline:Check.watchdog (Check.runtime ~topic_capacity:256 ()) @@ fun rt ->
  let shared = Mycelium.publisher rt (module Trade) in
  let publish lots () =
    let out = if lots land 1 = 0 then shared else Mycelium.publisher rt (module Trade) in
    for n = 1 to each do
      Publisher.publish out (Check.trade ~lots n)
    done
  in
  let poll reader () =
    let last = Array.make publishers 0 in
    for _ = 1 to publishers * each do
      match Reader.recv ~timeout:Check.watchdog reader with
      | Some (trade : Trade.t) ->
          Check.int "in the order of its domain" (last.(trade.lots) + 1) (Check.number trade);
          last.(trade.lots) <- Check.number trade;
          (* The collector stops all domains, wherever they are. *)
          if Check.number trade mod 4_000 = 0 then Gc.full_major ()
      | None -> failwith "nothing came"
    done
  in
  let called = Atomic.make 0 in
  let heard = Mycelium.subscribe rt (module Trade) (fun _ -> Atomic.incr called) in
  let readers = List.init 2 (fun _ -> Mycelium.reader rt (module Trade)) in
  in_domains (List.map poll readers @ List.init publishers publish);
  Check.until "all is called" (fun () -> Atomic.get called = publishers * each);
  Check.int "failures" 0 (Runtime.failures rt);
  Subscription.cancel heard

module Counts = struct
  type config = unit
  type state = int

  let started () = 0

  let handle =
    [
      Actor.on (module News) (fun count news -> if news.text = "fails" then failwith news.text else count + 1);
      Actor.answer (module Ask) (module Total) (fun count _ -> (count, { Total.count = Int64.of_int count; life = 0 }));
    ]

  let stopping _ _ = ()
end

(* The actor's thread belongs to the first domain, and those who ask to others. *)
let domains_ask_an_actor_that_restarts () =
  Runtime.run ~deadline:Check.watchdog (Check.runtime ()) @@ fun rt ->
  let backoff = { Supervisor.initial = 0.0; cap = 0.0; jitter = 0.0; reset_after = 1.0 } in
  let counts = Supervisor.actor "counts" (module Counts) () in
  let tree = Supervisor.start rt (Supervisor.create ~intensity:(1_000_000, 1.0) ~backoff "desk" [ counts ]) in
  let ask () =
    let out = Mycelium.publisher rt (module News) in
    for n = 1 to 300 do
      Publisher.publish out { News.text = (if n mod 100 = 0 then "fails" else "counts") };
      let address = Address.find rt "desk/counts" in
      ignore (Address.ask ~timeout:Check.watchdog address (module Ask) { Ask.what = "" } (module Total));
      if n mod 150 = 0 then Gc.full_major ()
    done
  in
  in_domains [ ask; ask; ask ];
  Tree.shutdown ~deadline:Check.watchdog tree

module Spawns = struct
  include Counts

  let part from = Domain.spawn (fun () -> List.fold_left ( + ) 0 (List.init 1_000 (fun n -> from + n)))

  let asked count _ =
    let parts = List.map part [ 0; 1_000 ] in
    (count, { Total.count = Int64.of_int (List.fold_left ( + ) 0 (List.map Domain.join parts)); life = 0 })

  let handle = [ Actor.answer (module Ask) (module Total) asked ]
end

let an_actor_has_domains_compute () =
  Runtime.run ~deadline:Check.watchdog (Check.runtime ()) @@ fun rt ->
  let tree = Supervisor.start rt (Supervisor.create "desk" [ Supervisor.actor "spawns" (module Spawns) () ]) in
  let address = Address.find rt "desk/spawns" in
  for _ = 1 to 20 do
    let sum = Address.ask ~timeout:Check.watchdog address (module Ask) { Ask.what = "" } (module Total) in
    Check.int "the sum" 1_999_000 (Int64.to_int sum.count)
  done;
  Tree.shutdown ~deadline:Check.watchdog tree

let a_runtime_is_closed_while_domains_publish () =
  for _ = 1 to 20 do
    let rt = Check.runtime ~topic_capacity:32 () in
    let called = Atomic.make 0 in
    ignore (Mycelium.subscribe rt (module Trade) (fun _ -> Atomic.incr called));
    let publish () =
      try
        while true do
          Publisher.publish (Mycelium.publisher rt (module Trade)) (Check.trade 1)
        done
      with Error (Closed, _) -> ()
    in
    let domains = List.init 2 (fun _ -> Domain.spawn publish) in
    Check.until "they publish" (fun () -> Atomic.get called > 20);
    Runtime.close ~deadline:Check.watchdog rt;
    List.iter Domain.join domains
  done

(* A second one is told so, as a thread is. *)
let a_reader_serves_one_domain_at_a_time () =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  let reader = Mycelium.reader rt (module Trade) and out = Mycelium.publisher rt (module Trade) in
  let got = Atomic.make 0 in
  let poll () =
    while Atomic.get got < each do
      match Reader.drain reader ~most:16 (fun _ -> Atomic.incr got) with
      | _ -> ()
      | exception Error (Argument, _) -> Domain.cpu_relax ()
    done
  in
  let publish () =
    for n = 1 to each do
      Publisher.publish out (Check.trade n)
    done
  in
  in_domains [ poll; poll; publish ];
  Check.int "each was read once" each (Atomic.get got)

let () =
  Check.run "domains publish and poll at the same time" domains_publish_and_poll_at_the_same_time;
  Check.run "domains ask an actor that restarts" domains_ask_an_actor_that_restarts;
  Check.run "an actor has domains compute" an_actor_has_domains_compute;
  Check.run "a runtime is closed while domains publish" a_runtime_is_closed_while_domains_publish;
  Check.run "a reader serves one domain at a time" a_reader_serves_one_domain_at_a_time
