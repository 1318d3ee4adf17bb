(* What is done wrong is an error that says what to do, and never a crash or a hang. *)

open Ocaml_desk_messages
open Mycelium

(* A message as another contract has it. *)
module Other = struct
  include Trade

  let digest = 1L
end

module Missing = struct
  include Trade

  let type_id = 77
end

module Not_one = struct
  include Trade

  let encode _ = Bytes.make 3 'x'
end

let contracts () =
  Check.wrong "no contract" Contract "line" (fun () -> Runtime.create "schema: {}\nmessages: 5\n");
  Check.wrong "a byte 0" Contract "byte 0" (fun () -> Runtime.create "a\000b");
  Check.wrong "no file" Contract "cannot be read" (fun () -> Runtime.of_file "/no/such/contracts.yaml");
  Check.wrong "another schema" Digest "mycelium gen" (fun () -> Runtime.create ~schema_digest:5L contract);
  Check.wrong "numbers" Argument "workers" (fun () -> Runtime.create ~workers:(-1) contract)

let messages () =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  Check.wrong "another digest" Digest "generate it again" (fun () -> Mycelium.publisher rt (module Other));
  Check.wrong "to read it" Digest "generate it again" (fun () -> Mycelium.reader rt (module Other));
  Check.wrong "to hear it" Digest "generate it again" (fun () -> Mycelium.subscribe rt (module Other) ignore);
  Check.wrong "no such message" Contract "type id 77" (fun () -> Mycelium.publisher rt (module Missing));
  let out = Mycelium.publisher rt (module Not_one) in
  Check.wrong "no value" Value "Trade" (fun () -> Publisher.publish out (Check.trade 1));
  Check.wrong "no topic" Contract "nowhere" (fun () -> Reader.raw rt [ "nowhere" ]);
  Check.wrong "too small" Buffer "buffer" (fun () ->
      Reader.read_into (Mycelium.reader rt (module Trade)) (Bigarray.Array1.create Bigarray.char Bigarray.c_layout 3));
  Check.wrong "not fixed" Buffer "fixed" (fun () ->
      Reader.read_into (Mycelium.reader rt (module News)) (Bigarray.Array1.create Bigarray.char Bigarray.c_layout 300));
  Check.wrong "too many" Argument "room for 1 values" (fun () ->
      Publisher.publish_array out (Bigarray.Array1.create Bigarray.char Bigarray.c_layout Trade.root_len) ~count:2);
  let raw = Reader.raw rt [ "*" ] in
  Publisher.publish (Mycelium.publisher rt (module News)) { News.text = "x" };
  Check.wrong "another message" Value "type id" (fun () -> Raw.decode (module Trade) (Option.get (Reader.poll raw)));
  Check.wrong "nobody" No_address "root/desk" (fun () -> Address.find rt "a/b");
  Check.wrong "no actor here" Inside "no callback of an actor" (fun () -> Self.stop ());
  Check.wrong "below zero" Argument "timeout" (fun () -> Reader.recv ~timeout:(-1.0) raw);
  Check.true_ "a timeout" (Reader.recv ~timeout:0.01 raw = None)

let after_a_close () =
  let rt = Check.runtime () in
  let reader = Mycelium.reader rt (module Trade) and out = Mycelium.publisher rt (module Trade) in
  let heard = Mycelium.subscribe rt (module Trade) ignore in
  Runtime.close rt;
  Runtime.close rt;
  Check.true_ "closed" (Runtime.is_closed rt);
  Check.wrong "publish" Closed "closed" (fun () -> Publisher.publish out (Check.trade 1));
  Check.wrong "try" Closed "closed" (fun () -> Publisher.try_publish out (Check.trade 1));
  Check.wrong "many" Closed "closed" (fun () -> Publisher.publish_many out [| Check.trade 1 |]);
  Check.wrong "read" Closed "closed" (fun () -> Reader.poll reader);
  Check.wrong "subscribe" Closed "closed" (fun () -> Mycelium.subscribe rt (module Trade) ignore);
  Check.wrong "start" Closed "closed" (fun () -> Supervisor.start rt (Supervisor.create "desk" []));
  Check.wrong "stats" Closed "closed" (fun () -> Runtime.stats rt);
  Subscription.cancel heard;
  Subscription.cancel heard;
  Reader.close reader;
  Reader.close reader;
  Check.wrong "a closed reader" Handle "freed" (fun () -> Reader.poll reader)

module Answers = struct
  type config = unit
  type state = unit

  let started () = ()
  let handle = Actor.[ answer (module Ask) (module Total) (fun () _ -> ((), { Total.count = 1L; life = 1 })) ]
  let stopping () _ = ()
end

module Answers_other = struct
  include Answers

  let handle = Actor.[ answer (module Ask) (module Other) (fun () _ -> ((), Check.trade 1)) ]
end

let start rt name actor = Supervisor.start rt (Supervisor.create name [ Supervisor.actor "one" actor () ])

let actors () =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  Check.wrong "an answer of another contract" Digest "Trade" (fun () -> start rt "other" (module Answers_other));
  let tree = start rt "desk" (module Answers) in
  let one = Address.find rt "desk/one" and ask = { Ask.what = "" } in
  Check.int "an answer" 1 (Address.ask one (module Ask) ask (module Total)).life;
  Check.wrong "read as another contract has it" Digest "Trade" (fun () -> Address.ask one (module Ask) ask (module Other));
  Check.wrong "read as another message" Value "type id" (fun () -> Address.ask one (module Ask) ask (module News));
  Check.wrong "told as another contract has it" Digest "Trade" (fun () ->
      Address.tell one (module Other) (Check.trade 1));
  Check.wrong "a path of nobody" Tree "no child" (fun () -> Tree.terminate tree "desk/two");
  Check.wrong "two of one name" Tree "one" (fun () ->
      let one () = Supervisor.actor "one" (module Answers) () in
      Supervisor.start rt (Supervisor.create "twice" [ one (); one () ]));
  Tree.shutdown tree;
  Check.wrong "one that has ended" No_address "" (fun () -> Address.ask one (module Ask) ask (module Total))

let callbacks_that_raise () =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  let calls = Atomic.make 0 in
  let heard =
    Mycelium.subscribe rt
      (module Trade)
      (fun trade ->
        Atomic.incr calls;
        match Check.number trade with
        | 1 -> failwith "one"
        | 2 -> raise Exit
        | 3 -> raise Stack_overflow
        | 4 -> ignore (Hashtbl.find (Hashtbl.create 1) 4)
        | 5 -> Runtime.close rt
        | _ -> ())
  in
  let out = Mycelium.publisher rt (module Trade) in
  for n = 1 to 7 do
    Publisher.publish out (Check.trade n)
  done;
  Check.until "all calls" (fun () -> Atomic.get calls = 7);
  Check.until "five failures" (fun () -> Runtime.failures rt = 5);
  Check.true_ "not closed" (not (Runtime.is_closed rt));
  Subscription.cancel heard;
  Publisher.publish out (Check.trade 8);
  Thread.delay 0.01;
  Check.int "called no more" 7 (Atomic.get calls)

let from_callbacks () =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  let out = Mycelium.publisher rt (module News) and texts = ref [] in
  let own = ref None in
  own :=
    Some
      (Mycelium.subscribe rt
         (module Trade)
         (fun _ ->
           Publisher.publish out { News.text = "echo" };
           Option.iter Subscription.cancel !own));
  let heard = Mycelium.subscribe rt (module News) (fun news -> texts := news.text :: !texts) in
  let trades = Mycelium.publisher rt (module Trade) in
  Check.until "the callback knows itself" (fun () -> !own <> None);
  for n = 1 to 5 do
    Publisher.publish trades (Check.trade n)
  done;
  Check.until "one echo" (fun () -> !texts <> []);
  Thread.delay 0.01;
  Check.int "and no other" 1 (List.length !texts);
  Subscription.cancel heard

let a_child_of_fork () =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  let out = Mycelium.publisher rt (module Trade) in
  ignore (Mycelium.subscribe rt (module Trade) ignore);
  match Unix.fork () with
  | 0 ->
      (* The exit closes runtimes: that of the parent is left alone. *)
      let status =
        match Publisher.publish out (Check.trade 1) with
        | () -> 1
        | exception Error (Forked, text) -> if Check.contains text "fork" then 0 else 2
      in
      exit status
  | child -> (
      match Unix.waitpid [] child with
      | _, Unix.WEXITED 0 -> Publisher.publish out (Check.trade 1)
      | _ -> failwith "the child has failed")

let signals_are_handled_while_one_waits () =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  let reader = Mycelium.reader rt (module Trade) in
  ignore (Mycelium.subscribe rt (module Trade) ignore);
  Check.interrupted "recv" (fun () -> Reader.recv reader);
  Publisher.publish (Mycelium.publisher rt (module Trade)) (Check.trade 1);
  Check.true_ "it goes on" (Reader.recv ~timeout:Check.watchdog reader <> None)

(* Takes its first message, and holds on to it until it is told to go on; it counts what it is asked. *)
module Holds = struct
  type config = { goes_on : bool Atomic.t; queries : int Atomic.t }
  type state = config

  let started config = config

  let hold config =
    while not (Atomic.get config.goes_on) do
      Thread.delay 0.001
    done;
    config

  let handle =
    [
      Actor.told (module Trade) (fun config _ -> hold config);
      Actor.answer
        (module Trade)
        (module News)
        (fun config _ ->
          Atomic.incr config.queries;
          (hold config, { News.text = "at last" }));
    ]

  let stopping _ _ = ()
end

let signals_end_every_wait () =
  Runtime.run (Check.runtime ~topic_capacity:4 ()) @@ fun rt ->
  let reader = Mycelium.reader rt (module Trade) and out = Mycelium.publisher rt (module Trade) in
  let publish_for_ever () =
    while true do
      Publisher.publish out (Check.trade 1)
    done
  in
  Check.interrupted "publish" publish_for_ever;
  Check.int "before it" 4 (Reader.drain reader ignore);
  let published = ref (-1) and trades = Array.make 1000 (Check.trade 1) in
  Check.interrupted "publish_many" (fun () -> Publisher.publish_many ~published out trades);
  Check.int "what was interrupted is not published" !published (Reader.drain reader ignore);
  let array = Bigarray.Array1.create Bigarray.char Bigarray.c_layout (3000 * Trade.root_len) in
  Bigarray.Array1.fill array '\000';
  let taken = ref 0 in
  (* It is interrupted in its second piece. *)
  let take () =
    while !taken < 2000 do
      taken := !taken + Reader.drain reader ignore;
      Thread.delay 0.0001
    done
  in
  let taking = Thread.create take () in
  Check.interrupted ~once:(fun () -> !taken >= 2000) "publish_array" (fun () ->
      Publisher.publish_array ~published out array ~count:3000);
  Thread.join taking;
  Check.int "of an array" !published (!taken + Reader.drain reader ignore);
  Check.true_ "some of it" (!published >= 2000 && !published < 3000);
  let goes_on = Atomic.make false and queries = Atomic.make 0 in
  let config = { Holds.goes_on; queries } in
  let tree = Supervisor.start rt (Supervisor.create "holds" [ Supervisor.actor "it" (module Holds) config ]) in
  let it = Address.find rt "holds/it" in
  let once () = Atomic.get queries = 1 in
  Check.interrupted ~once "ask" (fun () -> Address.ask it (module Trade) (Check.trade 1) (module News));
  Check.interrupted "ask for a while" (fun () ->
      Address.ask ~timeout:Check.watchdog it (module Trade) (Check.trade 1) (module News));
  Check.interrupted "tell" (fun () ->
      while true do
        Address.tell it (module Trade) (Check.trade 1)
      done);
  Atomic.set goes_on true;
  Check.string "its answer" "at last" (Address.ask it (module Trade) (Check.trade 1) (module News)).News.text;
  (* The second one waits behind it; it may not have been sent before its signal came. *)
  Check.true_ "an ask that was interrupted had been sent" (List.mem (Atomic.get queries) [ 2; 3 ]);
  Tree.shutdown tree

(* More than there are handles, if none of them came back. *)
let what_is_out_of_reach_is_freed () =
  for _ = 1 to 34 do
    Runtime.run ~deadline:Check.watchdog (Check.runtime ()) (fun rt ->
        for at = 1 to 1000 do
          ignore (Mycelium.subscribe rt (module News) ignore);
          ignore (Supervisor.start rt (Supervisor.create (string_of_int at) []))
        done);
    Gc.full_major ()
  done

(* More than there are handles, in a heap that the collector is in no hurry to look through. *)
let addresses_that_are_out_of_reach_give_their_handles_back () =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  let alive = Array.init 100 (fun _ -> Array.make 131_072 (Some 1)) in
  let tree = start rt "found" (module Answers) in
  for _ = 1 to 200_000 do
    ignore (Address.find rt "found/one")
  done;
  Check.int "what was alive" 100 (Array.length (Sys.opaque_identity alive));
  Tree.shutdown tree

(* In a process of its own, which is to end. *)
let a_callback_that_does_not_return_holds_up_no_exit () =
  match Unix.fork () with
  | 0 ->
      let rt = Check.runtime () and begun = Atomic.make false in
      let for_ever _ =
        Atomic.set begun true;
        Thread.delay 1e9
      in
      ignore (Mycelium.subscribe rt (module Trade) for_ever);
      ignore (Mycelium.subscribe rt (module News) ignore);
      Gc.full_major ();
      Publisher.publish (Mycelium.publisher rt (module Trade)) (Check.trade 1);
      Check.until "it is called" (fun () -> Atomic.get begun);
      let status =
        match Runtime.close ~deadline:0.2 rt with
        | () -> 1
        | exception Error (Callback, _) -> 0
        | exception Error _ -> 2
      in
      exit status
  | child ->
      let ended = ref None in
      let has_ended () =
        match Unix.waitpid [ WNOHANG ] child with
        | 0, _ -> false
        | _, status ->
            ended := Some status;
            true
      in
      (try Check.until "it has ended" has_ended
       with raised ->
         Unix.kill child Sys.sigkill;
         raise raised);
      Check.true_ "with an error of the close" (!ended = Some (Unix.WEXITED 0))

exception Now

let signals_that_raise_leave_nothing_locked () =
  let others = List.init 50 (fun _ -> Check.runtime ()) in
  let closed = Check.runtime () in
  Runtime.close closed;
  let raises = ref false in
  Sys.set_signal Sys.sigalrm (Signal_handle (fun _ -> if !raises then raise Now));
  let every at = ignore (Unix.setitimer ITIMER_REAL { it_interval = at; it_value = at }) in
  every 20e-6;
  for _ = 1 to 2000 do
    try
      raises := true;
      for _ = 1 to 20 do
        Runtime.close closed
      done;
      raises := false
    with Now -> raises := false
  done;
  every 0.0;
  List.iter Runtime.close others

let () =
  Check.run "contracts" contracts;
  Check.run "messages" messages;
  Check.run "after a close" after_a_close;
  Check.run "actors" actors;
  Check.run "callbacks that raise" callbacks_that_raise;
  Check.run "from callbacks" from_callbacks;
  Check.run "a child of fork" a_child_of_fork;
  Check.run "signals are handled while one waits" signals_are_handled_while_one_waits;
  Check.run "signals end every wait" signals_end_every_wait;
  Check.run "what is out of reach is freed" what_is_out_of_reach_is_freed;
  Check.run "addresses that are out of reach" addresses_that_are_out_of_reach_give_their_handles_back;
  Check.run "a callback that does not return" a_callback_that_does_not_return_holds_up_no_exit;
  Check.run "signals that raise leave nothing locked" signals_that_raise_leave_nothing_locked
