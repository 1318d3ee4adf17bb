(* What a message of 104 bytes costs in OCaml: [cost.exe publish|encode|array|read|drain|callback MESSAGES].
   Build with [--profile release]. docs/ocaml.md has the figures, and how they are counted. *)

open Ocaml_desk_messages
open Mycelium

let batch = 256

let () =
  let what = if Array.length Sys.argv > 1 then Sys.argv.(1) else "publish" in
  let messages = if Array.length Sys.argv > 2 then int_of_string Sys.argv.(2) else 512_000 in
  Runtime.run (Runtime.create ~topic_capacity:4096 contract) @@ fun rt ->
  let out = Mycelium.publisher rt (module Wide) in
  let value = { Wide.a = Array.init 13 Int64.of_int } in
  let encoded = Wide.encode value in
  let array = Bigarray.Array1.create Bigarray.char Bigarray.c_layout (batch * Wide.root_len) in
  let measured = ref 0.0 in
  let timed work =
    let begun = Unix.gettimeofday () in
    work ();
    measured := !measured +. (Unix.gettimeofday () -. begun)
  in
  let publish_batch () =
    for _ = 1 to batch do
      Publisher.publish_encoded out encoded
    done
  in
  (if what = "callback" then (
     let seen = Atomic.make 0 and sum = ref 0 in
     let heard =
       Subscription.raw ~capacity:4096 rt [ Wide.topic ] (fun raw ->
           sum := !sum + Bytes.length raw.bytes;
           Atomic.incr seen)
     in
     timed (fun () ->
         for _ = 1 to messages / batch do
           publish_batch ()
         done;
         while Atomic.get seen < messages / batch * batch do
           Thread.yield ()
         done);
     Subscription.cancel heard)
   else
     let reader = Reader.create ~capacity:batch rt (module Wide) in
     let fill work =
       for _ = 1 to messages / batch do
         work ();
         while Reader.read_into reader array > 0 do
           ()
         done
       done
     in
     match what with
     | "publish" -> fill (fun () -> timed publish_batch)
     | "encode" ->
         fill (fun () ->
             timed (fun () ->
                 for _ = 1 to batch do
                   Publisher.publish out value
                 done))
     | "array" -> fill (fun () -> timed (fun () -> Publisher.publish_array out array ~count:batch))
     | "read" ->
         for _ = 1 to messages / batch do
           publish_batch ();
           timed (fun () -> assert (Reader.read_into reader array = batch))
         done
     | "drain" ->
         for _ = 1 to messages / batch do
           publish_batch ();
           timed (fun () -> assert (Reader.drain reader ignore = batch))
         done
     | other -> failwith ("no such thing: " ^ other));
  Printf.printf "%s: %.1f ns each of %d\n" what (!measured *. 1e9 /. float_of_int messages) messages
