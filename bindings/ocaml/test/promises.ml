(* What the bus promises, seen from OCaml: order, exactly once, what happens when a queue is full. *)

open Ocaml_desk_messages
open Mycelium

let published_is_read_in_order_and_once () =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  let trades = Mycelium.reader rt (module Trade) and all = Reader.raw rt [ "market.*" ] in
  let out = Mycelium.publisher rt (module Trade) and news = Mycelium.publisher rt (module News) in
  for n = 1 to 100 do
    Publisher.publish out (Check.trade n);
    Publisher.publish news { News.text = String.make (n * 100) 'x' }
  done;
  let next = ref 0 in
  let seen =
    Reader.drain trades (fun trade ->
        incr next;
        Check.int "the next trade" !next (Check.number trade))
  in
  Check.int "trades" 100 seen;
  Check.true_ "no more" (Reader.poll trades = None);
  let stamp = ref 0 and texts = ref 0 and count = ref 0 in
  ignore
    (Reader.drain all (fun raw ->
         Check.true_ "stamps never fall" (raw.stamp >= !stamp);
         stamp := raw.stamp;
         incr count;
         Check.true_ "when" (raw.published_ns > 1_600_000_000_000_000_000);
         Check.int "nobody's" 0 raw.sender;
         if Raw.is (module News) raw then texts := !texts + String.length (Raw.decode (module News) raw).text));
  Check.int "all messages" 200 !count;
  Check.int "all texts" (100 * 101 / 2 * 100) !texts

let long_messages () =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  let reader = Mycelium.reader rt (module News) and out = Mycelium.publisher rt (module News) in
  let heard = ref 0 in
  let subscription = Mycelium.subscribe rt (module News) (fun news -> heard := !heard + String.length news.text) in
  let lengths = [ 0; 1; 16_343; 16_344; 100_000; 3_000_000; 5 ] in
  List.iter (fun len -> Publisher.publish out { News.text = String.make len 'l' }) lengths;
  List.iteri
    (fun at len ->
      if at < 3 then Check.int "polled" len (String.length (Option.get (Reader.poll reader)).text))
    lengths;
  let rest = ref [] in
  ignore (Reader.drain reader (fun news -> rest := String.length news.text :: !rest));
  Check.true_ "drained" (List.rev !rest = [ 16_344; 100_000; 3_000_000; 5 ]);
  Check.until "heard" (fun () -> !heard = List.fold_left ( + ) 0 lengths);
  Subscription.cancel subscription

let one_message_of_a_topic () =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  let trades = Mycelium.reader rt (module Trade) in
  let quotes = ref 0 in
  let heard = Mycelium.subscribe rt (module Quote) (fun quote -> quotes := !quotes + Int64.to_int quote.number) in
  Publisher.publish (Mycelium.publisher rt (module Quote)) { Quote.number = 7L };
  Publisher.publish (Mycelium.publisher rt (module Trade)) (Check.trade 1);
  Check.true_ "the trade alone" (Option.map Check.number (Reader.recv ~timeout:Check.watchdog trades) = Some 1);
  Check.true_ "and no quote" (Reader.poll trades = None);
  Check.until "the quote" (fun () -> !quotes = 7);
  Subscription.cancel heard;
  Check.int "failures" 0 (Runtime.failures rt)

let arrays_are_filled_and_published () =
  Runtime.run (Check.runtime ~topic_capacity:4096 ()) @@ fun rt ->
  let reader = Mycelium.reader rt (module Trade) and out = Mycelium.publisher rt (module Trade) in
  Publisher.publish_many out (Array.init 1000 (fun n -> Check.trade n));
  let array = Bigarray.Array1.create Bigarray.char Bigarray.c_layout (256 * Trade.root_len) in
  let seen = ref 0 in
  while !seen < 1000 do
    let count = Reader.read_into reader array in
    for at = 0 to count - 1 do
      (match Trade.check_bigarray array (at * Trade.root_len) with
      | Ok () -> ()
      | Error error -> failwith (error_to_string error));
      Check.int "number" (!seen + at) (Int64.to_int (Trade.Bigarray_view.number array (at * Trade.root_len)))
    done;
    seen := !seen + count
  done;
  Check.int "nothing waits" 0 (Reader.read_into reader array);
  Publisher.publish_array out array ~count:200;
  Check.int "published from the array" 200 (Reader.read_into reader array)

let full name policy expected lost =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  let reader = Reader.create ~policy ~capacity:4 rt (module Trade) in
  let out = Mycelium.publisher rt (module Trade) in
  let refused = ref 0 in
  for n = 1 to 10 do
    match Publisher.try_publish out (Check.trade n) with
    | true -> ()
    | false -> incr refused
    | exception Error (Full, _) -> incr refused
  done;
  let got = ref [] in
  ignore (Reader.drain reader (fun trade -> got := Check.number trade :: !got));
  Check.string name expected (String.concat " " (List.rev_map string_of_int !got));
  let stats = Runtime.topic_stats rt (module Trade) in
  Check.int (name ^ ": dropped") lost stats.dropped;
  Check.int (name ^ ": all are accounted for") 10 (!refused + stats.delivered + stats.dropped)

let what_happens_when_a_queue_is_full () =
  full "block" Block "1 2 3 4" 0;
  full "fail" Fail "1 2 3 4" 0;
  full "drop the newest" Drop_newest "1 2 3 4" 6;
  full "drop the oldest" Drop_oldest "7 8 9 10" 6

let a_publisher_waits_for_room_and_others_run () =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  let reader = Reader.create ~capacity:8 rt (module Trade) in
  let out = Mycelium.publisher rt (module Trade) in
  let publishing = Thread.create (fun () -> for n = 1 to 5_000 do Publisher.publish out (Check.trade n) done) () in
  for n = 1 to 5_000 do
    match Reader.recv ~timeout:Check.watchdog reader with
    | Some trade -> Check.int "in order" n (Check.number trade)
    | None -> failwith "nothing came"
  done;
  Thread.join publishing

let threads_publish_and_each_keeps_its_order () =
  Runtime.run (Check.runtime ~topic_capacity:128 ()) @@ fun rt ->
  let last = Array.make 4 0 and count = ref 0 in
  let heard =
    Mycelium.subscribe rt
      (module Trade)
      (fun trade ->
        let who = trade.lots in
        if Check.number trade <> last.(who) + 1 then failwith "out of order";
        last.(who) <- Check.number trade;
        incr count)
  in
  let publish who =
    let out = Mycelium.publisher rt (module Trade) in
    for n = 1 to 2_000 do
      Publisher.publish out (Check.trade ~lots:who n)
    done
  in
  let threads = List.init 4 (fun who -> Thread.create publish who) in
  List.iter Thread.join threads;
  Check.until "all" (fun () -> !count = 8_000);
  Check.int "failures" 0 (Runtime.failures rt);
  Subscription.cancel heard

let a_drain_whose_function_raises_loses_nothing () =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  let reader = Mycelium.reader rt (module Trade) and out = Mycelium.publisher rt (module Trade) in
  for n = 1 to 10 do
    Publisher.publish out (Check.trade n)
  done;
  (match Reader.drain reader (fun trade -> if Check.number trade = 4 then failwith "four") with
  | _ -> failwith "it does not raise"
  | exception Failure text -> Check.string "raised" "four" text);
  Check.true_ "five is next" (Option.map Check.number (Reader.poll reader) = Some 5);
  Check.int "the rest, two at most" 2 (Reader.drain reader ~most:2 ignore);
  Check.int "the rest" 3 (Reader.drain reader ignore)

let what_waits_at_a_close_is_called_and_read () =
  let rt = Check.runtime () in
  let reader = Mycelium.reader rt (module Trade) and out = Mycelium.publisher rt (module Trade) in
  let called = ref 0 in
  ignore (Mycelium.subscribe rt (module Trade) (fun _ -> incr called));
  for n = 1 to 500 do
    Publisher.publish out (Check.trade n)
  done;
  Runtime.close rt;
  Check.int "called" 500 !called;
  Check.int "read after the close" 500 (Reader.drain reader ignore);
  Check.wrong "the end" Closed "closed" (fun () -> Reader.poll reader);
  Check.wrong "a wait for what does not come" Closed "closed" (fun () -> Reader.recv reader)

(* More than two wait for room while somebody else writes to the array: what is published is what was there as
   the call began. *)
let an_array_may_be_written_to_while_it_is_published () =
  Runtime.run (Check.runtime ~topic_capacity:2 ()) @@ fun rt ->
  let reader = Mycelium.reader rt (module Trade) and out = Mycelium.publisher rt (module Trade) in
  let count = 100 in
  let array = Bigarray.Array1.create Bigarray.char Bigarray.c_layout (count * Trade.root_len) in
  for at = 0 to count - 1 do
    Bytes.iteri (fun byte -> Bigarray.Array1.set array ((at * Trade.root_len) + byte)) (Trade.encode (Check.trade at))
  done;
  let publishing = Thread.create (fun () -> Publisher.publish_array out array ~count) () in
  Check.until "it waits" (fun () -> (Runtime.topic_stats rt (module Trade)).waiting = 2);
  (* No side of a trade is 255: it is no value any more. *)
  Bigarray.Array1.fill array '\255';
  for at = 0 to count - 1 do
    match Reader.recv ~timeout:Check.watchdog reader with
    | Some trade -> Check.int "a trade" at (Check.number trade)
    | None -> failwith "not in time: a trade"
  done;
  Thread.join publishing

(* Cannot be encoded from 300 on. *)
module Up_to_300 = struct
  include Trade

  let encode trade = if Check.number trade >= 300 then invalid_arg "300" else Trade.encode trade
end

let what_comes_before_a_value_that_cannot_be_encoded_is_published () =
  Runtime.run (Check.runtime ()) @@ fun rt ->
  let reader = Reader.create ~capacity:1000 rt (module Trade) in
  let out = Mycelium.publisher rt (module Up_to_300) in
  (match Publisher.publish_many out (Array.init 1000 (fun at -> Check.trade at)) with
  | () -> failwith "it is an error"
  | exception Invalid_argument _ -> ());
  let seen = ref [] in
  Check.int "published" 300 (Reader.drain reader (fun trade -> seen := Check.number trade :: !seen));
  Check.true_ "in order" (List.rev !seen = List.init 300 Fun.id)

let () =
  Check.run "published is read in order and once" published_is_read_in_order_and_once;
  Check.run "long messages" long_messages;
  Check.run "one message of a topic" one_message_of_a_topic;
  Check.run "arrays are filled and published" arrays_are_filled_and_published;
  Check.run "what happens when a queue is full" what_happens_when_a_queue_is_full;
  Check.run "a publisher waits for room and others run" a_publisher_waits_for_room_and_others_run;
  Check.run "threads publish and each keeps its order" threads_publish_and_each_keeps_its_order;
  Check.run "a drain whose function raises loses nothing" a_drain_whose_function_raises_loses_nothing;
  Check.run "what waits at a close is called and read" what_waits_at_a_close_is_called_and_read;
  Check.run "an array may be written to" an_array_may_be_written_to_while_it_is_published;
  Check.run "what comes before a value that cannot be encoded" what_comes_before_a_value_that_cannot_be_encoded_is_published
