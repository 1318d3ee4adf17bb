open Base

let topic_of (type a) (module M : MESSAGE with type t = a) = Printf.sprintf "%s,#%d" M.topic M.type_id

module Publisher = struct
  (* [publisher]: the handle by which nothing is looked up for a message. It is freed when the runtime closes,
     whose own handle tells what is wrong then. *)
  type 'a t = { publisher : int64; runtime : int64; type_id : int; size : int; encode : 'a -> bytes }

  external try_publish_ : (int64[@unboxed]) -> bytes -> (int[@untagged]) -> (int[@untagged])
    = "mycelium_ml_try_publish_byte" "mycelium_ml_try_publish"
    [@@noalloc]

  external publish_ : int64 -> int -> bytes -> unit = "mycelium_ml_publish"
  external publish_many_ : int64 -> int -> bytes -> int -> int ref -> unit = "mycelium_ml_publish_many"

  external publish_array_ : int64 -> int -> bigstring -> int -> int -> int ref -> unit
    = "mycelium_ml_publish_array_byte" "mycelium_ml_publish_array"

  let full = -2
  let freed = -14

  let create (type a) (runtime : Runtime.t) (module M : MESSAGE with type t = a) : a t =
    Runtime.check runtime (module M);
    {
      publisher = Runtime.publisher runtime M.type_id;
      runtime = runtime.handle;
      type_id = M.type_id;
      size = (if M.fixed then M.root_len else 0);
      encode = M.encode;
    }

  (* Whether there was room: publishes without waiting. *)
  let try_publish_encoded to_ bytes =
    let code = try_publish_ to_.publisher bytes (Bytes.length bytes) in
    if code >= 0 then true
    else if code = full then false
    else (
      (* To make another one raises what the runtime's handle says, as that it is closed. *)
      if code = freed then ignore (free (Runtime.publisher_ to_.runtime to_.type_id));
      fail code)

  let publish_encoded to_ bytes =
    if not (try_publish_encoded to_ bytes) then publish_ to_.runtime to_.type_id bytes

  let publish to_ value = publish_encoded to_ (to_.encode value)
  let try_publish to_ value = try_publish_encoded to_ (to_.encode value)

  (* Values of fixed size go in one call for so many. *)
  let together = 256

  let publish_many ?(published = ref 0) to_ values =
    published := 0;
    let one value =
      publish to_ value;
      incr published
    in
    let send chunk = publish_many_ to_.runtime to_.type_id chunk to_.size published in
    let rec from first =
      let count = min together (Array.length values - first) in
      if count > 0 then (
        let chunk = Bytes.create (count * to_.size) and encoded = ref 0 in
        (try
           for at = 0 to count - 1 do
             Bytes.blit (to_.encode values.(first + at)) 0 chunk (at * to_.size) to_.size;
             encoded := at + 1
           done
         with raised ->
           let trace = Printexc.get_raw_backtrace () in
           send (Bytes.sub chunk 0 (!encoded * to_.size));
           Printexc.raise_with_backtrace raised trace);
        send chunk;
        from (first + count))
    in
    if to_.size = 0 then Array.iter one values else from 0

  let publish_array ?(published = ref 0) to_ array ~count =
    published := 0;
    if to_.size = 0 then error Buffer "this message has no fixed size: publish its values one by one";
    if count < 0 || count > Bigarray.Array1.dim array / to_.size then
      error Argument
        (Printf.sprintf "count is %d, and the array has room for %d values of %d bytes" count
           (Bigarray.Array1.dim array / to_.size)
           to_.size);
    publish_array_ to_.runtime to_.type_id array to_.size count published
end

module Reader = struct
  (* What [reader] has taken and not handed out lies from [at] on in [buffer]: [left] records. *)
  type source = {
    handle : int64;
    mutable closed : bool;
    mutable buffer : bytes;
    mutable at : int;
    mutable left : int;
    busy : bool Atomic.t;
  }

  type 'a t = { source : source; type_id : int; decode : raw -> 'a }

  external create_ : int64 -> string -> int -> int -> int64 = "mycelium_ml_reader"
  external wait_ : int64 -> int -> bool = "mycelium_ml_wait"

  external read_ : (int64[@unboxed]) -> bytes -> (int[@untagged]) -> (int[@untagged]) -> (int[@untagged])
    = "mycelium_ml_read_byte" "mycelium_ml_read"
    [@@noalloc]

  external read_array_ : (int64[@unboxed]) -> (int[@untagged]) -> bigstring -> (int[@untagged])
    = "mycelium_ml_read_array_byte" "mycelium_ml_read_array"
    [@@noalloc]

  let header = 40
  let buffer_len = 16_384
  let buffer_max = 1 lsl 31
  let too_small = -7

  let close_source source =
    if not source.closed then (
      source.closed <- true;
      ignore (free source.handle))

  let open_ ?(policy = Block) ?(capacity = 0) (runtime : Runtime.t) topics =
    let room = natural "capacity" capacity in
    let handle = with_handle (fun () -> create_ runtime.handle topics (number_of_policy policy) room) in
    let buffer = Bytes.create buffer_len in
    let source = { handle; closed = false; buffer; at = 0; left = 0; busy = Atomic.make false } in
    Gc.finalise close_source source;
    source

  let create (type a) ?policy ?capacity runtime (module M : MESSAGE with type t = a) : a t =
    Runtime.check runtime (module M);
    let source = open_ ?policy ?capacity runtime (topic_of (module M)) in
    { source; type_id = M.type_id; decode = Raw.decode (module M) }

  let raw ?policy ?capacity runtime topics : raw t =
    { source = open_ ?policy ?capacity runtime (String.concat "," topics); type_id = -1; decode = Fun.id }

  let close reader = close_source reader.source

  (* One thread at a time: the buffer is one. *)
  let alone source work =
    if Atomic.exchange source.busy true then
      error Argument "another thread, or a function that this reader calls, uses it now: give each a reader of its own";
    match work () with
    | result ->
        Atomic.set source.busy false;
        result
    | exception raised ->
        let trace = Printexc.get_raw_backtrace () in
        Atomic.set source.busy false;
        Printexc.raise_with_backtrace raised trace

  (* Whether there is a record in the buffer, taking [most] from the queues if there was none. *)
  let rec fill source most =
    source.left > 0
    ||
    let taken = read_ source.handle source.buffer (Bytes.length source.buffer) most in
    if taken = too_small && Bytes.length source.buffer < buffer_max then (
      source.buffer <- Bytes.create (2 * Bytes.length source.buffer);
      fill source most)
    else if taken < 0 then fail taken
    else (
      source.at <- 0;
      source.left <- taken;
      taken > 0)

  let word32 buffer at = Int32.to_int (Bytes.get_int32_le buffer at) land 0xffff_ffff
  let word64 buffer at = Int64.to_int (Bytes.get_int64_le buffer at)

  (* The record in front, which is passed also where it cannot be decoded. *)
  let take reader =
    let source = reader.source in
    let { buffer; at; _ } = source in
    let len = word32 buffer (at + 4) in
    source.at <- at + header + ((len + 7) land lnot 7);
    source.left <- source.left - 1;
    reader.decode
      {
        type_id = Bytes.get_uint16_le buffer at;
        version = Bytes.get_uint16_le buffer (at + 2);
        root_len = word32 buffer (at + 8);
        stamp = word64 buffer (at + 16);
        published_ns = word64 buffer (at + 24);
        sender = word64 buffer (at + 32);
        bytes = Bytes.sub buffer (at + header) len;
      }

  let poll reader =
    alone reader.source @@ fun () -> if fill reader.source 1 then Some (take reader) else None

  let drain reader ?(most = max_int) look =
    alone reader.source @@ fun () ->
    (* The end is told to the call that finds nothing before it. *)
    let more seen = try fill reader.source (most - seen) with Error (Closed, _) when seen > 0 -> false in
    let rec go seen =
      if seen < most && more seen then (
        look (take reader);
        go (seen + 1))
      else seen
    in
    go 0

  (* So long at most without a look at signals, whose handlers run here. *)
  let slice_ms = 50

  let wait ?(timeout = infinity) reader =
    let source = reader.source in
    let rec go left =
      if source.left > 0 then true
      else
        let turn = min left slice_ms in
        wait_ source.handle turn || if left <= turn then false else go (left - turn)
    in
    go (if timeout = infinity then max_int else ms "timeout" timeout)

  let recv ?timeout reader =
    match poll reader with
    | Some value -> Some value
    | None -> if wait ?timeout reader then poll reader else None

  let read_into reader array =
    let source = reader.source in
    alone source @@ fun () ->
    if reader.type_id < 0 then error Argument "a reader of several messages fills no array: make one of a single message";
    if source.left > 0 then
      error Argument "records of an earlier `drain` wait in this reader: take them with `drain` or `poll` first";
    let count = read_array_ source.handle reader.type_id array in
    if count < 0 then fail count else count
end

module Subscription = struct
  type t = { handle : int64; mutable cancelled : bool }

  (* It goes on until the runtime closes; its handle is freed then. *)
  let forget runtime subscription =
    if not subscription.cancelled then
      Runtime.leave runtime { Runtime.it = subscription.handle; is_over = (fun () -> false) }

  external subscribe_ : int64 -> string -> int -> int -> (raw -> verdict) -> int64 = "mycelium_ml_subscribe"

  let open_ ?(policy = Block) ?(capacity = 0) (runtime : Runtime.t) topics callback =
    let room = natural "capacity" capacity in
    let called raw = match callback raw with () -> Fine | exception raised -> describe raised in
    let handle = with_handle (fun () -> subscribe_ runtime.handle topics (number_of_policy policy) room called) in
    let subscription = { handle; cancelled = false } in
    Gc.finalise (forget runtime) subscription;
    subscription

  let create (type a) ?policy ?capacity runtime (module M : MESSAGE with type t = a) callback =
    Runtime.check runtime (module M);
    let decode = Raw.decode (module M) in
    open_ ?policy ?capacity runtime (topic_of (module M)) (fun raw -> callback (decode raw))

  let raw ?policy ?capacity runtime topics callback =
    open_ ?policy ?capacity runtime (String.concat "," topics) callback

  let cancel subscription =
    if not subscription.cancelled then (
      subscription.cancelled <- true;
      ignore (free subscription.handle))
end

module Address = struct
  type t = { runtime : Runtime.t; handle : int64; path : string }

  external find_ : int64 -> string -> int64 = "mycelium_ml_address"
  external is_alive_ : int64 -> bool = "mycelium_ml_is_alive"
  external tell_ : int64 -> int -> bytes -> unit = "mycelium_ml_tell"
  external ask_ : int64 -> int -> bytes -> int -> raw = "mycelium_ml_ask"

  let find (runtime : Runtime.t) path =
    let address = { runtime; handle = with_handle (fun () -> find_ runtime.handle path); path } in
    Gc.finalise (fun address -> ignore (free address.handle)) address;
    address

  (* It is in reach until here: else its handle may be freed before the call has begun. *)
  let held address = ignore (Sys.opaque_identity address)
  let path address = address.path

  let is_alive address =
    let alive = is_alive_ address.handle in
    held address;
    alive

  let tell address (type a) (module M : MESSAGE with type t = a) (value : a) =
    Runtime.check address.runtime (module M);
    tell_ address.handle M.type_id (M.encode value);
    held address

  let ask ?timeout address (type q r) (module Q : MESSAGE with type t = q) (query : q)
      (module R : MESSAGE with type t = r) : r =
    let limit = match timeout with None -> -1 | Some seconds -> ms "timeout" seconds in
    Runtime.check address.runtime (module Q);
    Runtime.check address.runtime (module R);
    let answer = ask_ address.handle Q.type_id (Q.encode query) limit in
    held address;
    Raw.decode (module R) answer
end
