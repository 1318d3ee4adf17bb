let () =
  if Sys.int_size < 63 then failwith "mycelium: an int of this OCaml cannot hold a u32; use one for 64 bits"

type error = Truncated of string | Version of string | Invalid of string

let error_to_string (Truncated text | Version text | Invalid text) = text

type violation = { message : string; field : string; reason : string }

let violation_to_string { message; field; reason } = message ^ "." ^ field ^ " " ^ reason

type bigstring = (char, Bigarray.int8_unsigned_elt, Bigarray.c_layout) Bigarray.Array1.t

exception Bad of error

(* A value that its type cannot hold: why. *)
exception Misfit of string

(* A broken rule: field and reason. *)
exception Broken of string * string

include Mycelium_scalar
include Mycelium_json

let invalid format = Printf.ksprintf (fun text -> raise_notrace (Bad (Invalid text))) format
let misfit format = Printf.ksprintf (fun text -> raise_notrace (Misfit text)) format

module type MESSAGE = sig
  type t

  val name : string
  val type_id : int
  val topic : string
  val version : int
  val root_len : int
  val fixed : bool
  val digest : int64
  val encode : t -> bytes
  val decode : bytes -> (t, error) result
  val decode_version : version:int -> root_len:int -> bytes -> (t, error) result
  val read : version:int -> root_len:int -> bytes -> (t, string) result
  val validate : t -> (unit, violation) result
  val to_json : t -> string
end

(* What is elsewhere is claimed from the front to the back: it lies between [low] and [high]. *)
type reader = { buf : bytes; mutable low : int; mutable high : int }

let bad_tag name at tag count = invalid "the tag of %s at byte %d is %d, of %d" name at tag count

let follow r cell offset length align =
  let start = cell + offset in
  if start < r.low || start + length > r.high then
    invalid "the offset at byte %d leads to what is not between bytes %d and %d" cell r.low r.high;
  if start mod align <> 0 then
    invalid "the offset at byte %d leads to byte %d, no multiple of %d" cell start align;
  start

let unsigned_32 word = Int32.to_int word land 0xffff_ffff
let single_of_bits word = Int32.float_of_bits word
let u8 r at = Bytes.get_uint8 r.buf at
let i8 r at = Bytes.get_int8 r.buf at
let u16 r at = Bytes.get_uint16_le r.buf at
let i16 r at = Bytes.get_int16_le r.buf at
let u32 r at = unsigned_32 (Bytes.get_int32_le r.buf at)
let i32 r at = Int32.to_int (Bytes.get_int32_le r.buf at)
let i64 r at = Bytes.get_int64_le r.buf at
let f32 r at = single_of_bits (Bytes.get_int32_le r.buf at)
let f64 r at = Int64.float_of_bits (Bytes.get_int64_le r.buf at)

let bool r at =
  match u8 r at with 0 -> false | 1 -> true | other -> invalid "a bool at byte %d is %#04x" at other

let decimal r at =
  let scale, negative, behind = u8 r (at + 12), u8 r (at + 13), u16 r (at + 14) in
  let value =
    { Decimal.negative = negative = 1; mantissa = Bytes.sub_string r.buf at Decimal.mantissa_len; scale }
  in
  if
    scale > Decimal.scale_max || negative > 1 || behind <> 0 || (negative = 1 && Decimal.is_zero value)
  then invalid "a decimal at byte %d has scale %d, sign %d and %#06x behind it" at scale negative behind;
  value

let u256 r at = Bytes.sub_string r.buf at U256.size
let i256 r at = Bytes.sub_string r.buf at I256.size
let inline_max = 8

let string r at =
  let start, length =
    if u8 r at land 0xc0 <> 0x80 then (
      let rec until length =
        if length < inline_max && u8 r (at + length) <> 0xff then until (length + 1) else length
      in
      at, until 0)
    else
      let word = u32 r at in
      let length = word land 0x3f lor ((word land lnot 0xff) lsr 2) in
      if length <= inline_max then
        invalid "a text at byte %d lies elsewhere although it has %d bytes" at length;
      let start = follow r at (i32 r (at + 4)) length 1 in
      r.low <- start + length;
      start, length
  in
  if not (is_utf8 r.buf start (start + length)) then invalid "a text at byte %d is no UTF-8" at;
  Bytes.sub_string r.buf start length

let bytes r at =
  let length = u32 r (at + 4) in
  let start = follow r at (i32 r at) length 1 in
  r.low <- start + length;
  Bytes.sub r.buf start length

let blob length r at = Bytes.sub r.buf at length

let option get align r at =
  match u8 r at with
  | 0 -> None
  | 1 -> Some (get r (at + align))
  | tag -> invalid "the tag of an option at byte %d is %#04x" at tag

let array get count size r at = Array.init count (fun index -> get r (at + (index * size)))

let list get size align r at =
  let count = u32 r (at + 4) in
  let start = follow r at (i32 r at) (count * size) align in
  let high = r.high in
  r.high <- start;
  let items = array get count size r start in
  r.low <- start + (count * size);
  r.high <- high;
  items

let checked check r at =
  match check r at with () -> Ok () | exception Bad error -> Error error

let outside at size length = Error (Truncated (Printf.sprintf "%d bytes at byte %d, of %d" size at length))

module View = struct
  let u8 = Bytes.get_uint8
  let i8 = Bytes.get_int8
  let u16 = Bytes.get_uint16_le
  let i16 = Bytes.get_int16_le
  let[@inline] u32 buf at = unsigned_32 (Bytes.get_int32_le buf at)
  let[@inline] i32 buf at = Int32.to_int (Bytes.get_int32_le buf at)
  let[@inline] i64 buf at = Bytes.get_int64_le buf at
  let[@inline] f32 buf at = single_of_bits (Bytes.get_int32_le buf at)
  let[@inline] f64 buf at = Int64.float_of_bits (Bytes.get_int64_le buf at)

  let other get _size buf at =
    try get { buf; low = 0; high = 0 } at with Bad error -> invalid_arg (error_to_string error)

  let check size check buf at =
    if at < 0 || at > Bytes.length buf - size then outside at size (Bytes.length buf)
    else
      match check with
      | None -> Ok ()
      | Some check -> checked check { buf; low = 0; high = 0 } at
end

module Big = struct
  module Array1 = Bigarray.Array1

  external get16 : bigstring -> int -> int = "%caml_bigstring_get16"
  external get32 : bigstring -> int -> int32 = "%caml_bigstring_get32"
  external get64 : bigstring -> int -> int64 = "%caml_bigstring_get64"
  external swap16 : int -> int = "%bswap16"
  external swap32 : int32 -> int32 = "%bswap_int32"
  external swap64 : int64 -> int64 = "%bswap_int64"

  let[@inline] word16 buf at = if Sys.big_endian then swap16 (get16 buf at) else get16 buf at
  let[@inline] word32 buf at = if Sys.big_endian then swap32 (get32 buf at) else get32 buf at
  let[@inline] i64 buf at = if Sys.big_endian then swap64 (get64 buf at) else get64 buf at
  let[@inline] signed bits word = (word lsl (Sys.int_size - bits)) asr (Sys.int_size - bits)
  let[@inline] u8 (buf : bigstring) at = Char.code (Array1.get buf at)
  let[@inline] i8 buf at = signed 8 (u8 buf at)
  let[@inline] u16 buf at = word16 buf at
  let[@inline] i16 buf at = signed 16 (word16 buf at)
  let[@inline] u32 buf at = unsigned_32 (word32 buf at)
  let[@inline] i32 buf at = Int32.to_int (word32 buf at)
  let[@inline] f32 buf at = single_of_bits (word32 buf at)
  let[@inline] f64 buf at = Int64.float_of_bits (i64 buf at)
  let sub (buf : bigstring) at size = Bytes.init size (fun index -> Array1.get buf (at + index))

  let other get size buf at = View.other get size (sub buf at size) 0

  let check size check buf at =
    if at < 0 || at > Array1.dim buf - size then outside at size (Array1.dim buf)
    else
      match check with
      | None -> Ok ()
      | Some check -> checked check { buf = sub buf at size; low = 0; high = 0 } 0
end

(* Which of the layouts (version, length, alignment, whether the root is all) the root has. *)
let layout name layouts newest version root_len =
  let last = Array.length layouts - 1 in
  let length at = match layouts.(at) with _, length, _, _ -> length in
  let refuse () =
    let text =
      Printf.sprintf "%s: version %d has no root of %d bytes; this is version %d" name version root_len newest
    in
    raise_notrace (Bad (Version text))
  in
  if version > newest then if length last <= root_len then last else refuse ()
  else
    let rec find at =
      if at < 0 then refuse ()
      else
        match layouts.(at) with
        | first, length, _, _ when first <= version -> if length = root_len then at else refuse ()
        | _ -> find (at - 1)
    in
    find last

let decode name layouts newest get ~version ~root_len value =
  try
    let at = layout name layouts newest version root_len in
    let start = Bytes.length value - root_len in
    if start < 0 then
      raise_notrace
        (Bad (Truncated (Printf.sprintf "%s: %d bytes, the root alone has %d" name (Bytes.length value) root_len)));
    let _, _, align, fixed = layouts.(at) in
    if fixed && version <= newest && start > 0 then
      invalid "%s: it is of fixed size, and %d bytes are too many" name start;
    if start mod align <> 0 then
      invalid "%s: the root starts at byte %d, which is no multiple of %d" name start align;
    Ok (get at { buf = value; low = 0; high = start } start)
  with Bad error -> Error error

let read = function Ok value -> Ok value | Error error -> Error (error_to_string error)

(* Encoding takes two walks in the same order: [out] writes what stands outside of the root and notes where,
   [put] fills the cells and takes the places in that order. *)
type place = { mutable noted : int array; mutable count : int; mutable next : int }

type writer = { mutable bytes : bytes; mutable len : int; places : place; mutable field : int }

let value_max = 1 lsl 30

let reserve w align size =
  let start = (w.len + align - 1) land lnot (align - 1) in
  let len = start + size in
  if len > value_max then misfit "makes the value longer than %d bytes" value_max;
  if len > Bytes.length w.bytes then (
    let bytes = Bytes.make (max len (2 * Bytes.length w.bytes)) '\000' in
    Bytes.blit w.bytes 0 bytes 0 w.len;
    w.bytes <- bytes);
  w.len <- len;
  start

let note w place =
  let places = w.places in
  if places.count = Array.length places.noted then
    places.noted <- Array.append places.noted (Array.make (16 + places.count) 0);
  places.noted.(places.count) <- place;
  places.count <- places.count + 1

let take w =
  let places = w.places in
  places.next <- places.next + 1;
  places.noted.(places.next - 1)

let no_out _ _ = ()

let out_of_range value low high = misfit "is %d, must be from %d to %d" value low high

let put_u8 w at value =
  if value land lnot 0xff <> 0 then out_of_range value 0 0xff;
  Bytes.set_uint8 w.bytes at value

let put_i8 w at value =
  if value < -0x80 || value > 0x7f then out_of_range value (-0x80) 0x7f;
  Bytes.set_int8 w.bytes at value

let put_u16 w at value =
  if value land lnot 0xffff <> 0 then out_of_range value 0 0xffff;
  Bytes.set_uint16_le w.bytes at value

let put_i16 w at value =
  if value < -0x8000 || value > 0x7fff then out_of_range value (-0x8000) 0x7fff;
  Bytes.set_int16_le w.bytes at value

let put_u32 w at value =
  if value land lnot 0xffff_ffff <> 0 then out_of_range value 0 0xffff_ffff;
  Bytes.set_int32_le w.bytes at (Int32.of_int value)

let put_i32 w at value =
  if value < -0x8000_0000 || value > 0x7fff_ffff then out_of_range value (-0x8000_0000) 0x7fff_ffff;
  Bytes.set_int32_le w.bytes at (Int32.of_int value)

let put_i64 w at value = Bytes.set_int64_le w.bytes at value
let put_f32 w at value = Bytes.set_int32_le w.bytes at (Int32.bits_of_float value)
let put_f64 w at value = Bytes.set_int64_le w.bytes at (Int64.bits_of_float value)
let put_bool w at value = Bytes.set_uint8 w.bytes at (if value then 1 else 0)

let put_decimal w at { Decimal.negative; mantissa; scale } =
  Bytes.blit_string mantissa 0 w.bytes at Decimal.mantissa_len;
  Bytes.set_uint8 w.bytes (at + 12) scale;
  put_bool w (at + 13) negative

let put_u256 w at value = Bytes.blit_string value 0 w.bytes at U256.size
let put_i256 w at value = Bytes.blit_string value 0 w.bytes at I256.size

let write w value length =
  let start = reserve w 1 length in
  Bytes.blit value 0 w.bytes start length;
  note w start

let out_string w value =
  let length = String.length value in
  let text = Bytes.unsafe_of_string value in
  if not (is_utf8 text 0 length) then misfit "is no UTF-8";
  if length > inline_max then write w text length

let put_string w at value =
  let length = String.length value in
  if length <= inline_max then (
    Bytes.fill w.bytes at inline_max '\255';
    Bytes.blit_string value 0 w.bytes at length)
  else (
    let word = length land 0x3f lor 0x80 lor ((length land lnot 0x3f) lsl 2) in
    Bytes.set_int32_le w.bytes at (Int32.of_int word);
    Bytes.set_int32_le w.bytes (at + 4) (Int32.of_int (take w - at)))

let put_cell w at count =
  Bytes.set_int32_le w.bytes at (Int32.of_int (take w - at));
  Bytes.set_int32_le w.bytes (at + 4) (Int32.of_int count)

let out_bytes w value = write w value (Bytes.length value)
let put_bytes w at value = put_cell w at (Bytes.length value)

let put_blob length w at value =
  if Bytes.length value <> length then misfit "has %d bytes, must have %d" (Bytes.length value) length;
  Bytes.blit value 0 w.bytes at length

let out_option out w value = match value with None -> () | Some value -> out w value

let put_option put align w at value =
  match value with
  | None -> ()
  | Some value ->
    Bytes.set_uint8 w.bytes at 1;
    put w (at + align) value

let out_array out w items = Array.iter (fun item -> out w item) items
let fill put size w at items = Array.iteri (fun index item -> put w (at + (index * size)) item) items

let put_array put count size w at items =
  if Array.length items <> count then misfit "has %d elements, must have %d" (Array.length items) count;
  fill put size w at items

(* The places of what elements have outside are noted behind those of the message, and forgotten again. *)
let out_list out put size align w items =
  let places = w.places in
  let count, next = places.count, places.next in
  places.next <- count;
  out_array out w items;
  let start = reserve w align (size * Array.length items) in
  fill put size w start items;
  places.count <- count;
  places.next <- next;
  note w start

let put_list w at items = put_cell w at (Array.length items)

let encode name fields size align fixed out put value =
  let bytes = Bytes.make (if fixed then size else size + 256) '\000' in
  let places = { noted = [||]; count = 0; next = 0 } in
  let w = { bytes; len = 0; places; field = 0 } in
  match
    out w value;
    put w (reserve w align size) value
  with
  | () -> if w.len = Bytes.length w.bytes then w.bytes else Bytes.sub w.bytes 0 w.len
  | exception Misfit why -> invalid_arg (Printf.sprintf "%s.%s %s" name fields.(w.field) why)

(* Literals of a contract, as they stand in memory: rules compare with them. *)
let decimal_literal negative mantissa scale = { Decimal.negative; mantissa; scale }
let u256_literal limbs : U256.t = limbs
let i256_literal limbs : I256.t = limbs

let ascii text =
  let rec from at = at = String.length text || (' ' <= text.[at] && text.[at] <= '~' && from (at + 1)) in
  from 0

let index path at = Printf.sprintf "%s[%d]" path at
let iter_option check value = match value with None -> () | Some value -> check value
let iteri_bytes check value = Bytes.iteri (fun at byte -> check at (Char.code byte)) value
let shown_max = 80

let broken path write value must =
  let shown = json write value in
  let shown = if String.length shown > shown_max then String.sub shown 0 shown_max ^ "..." else shown in
  raise_notrace (Broken (path, Printf.sprintf "is %s, must be %s" shown must))

let broken_length path length must =
  raise_notrace (Broken (path, Printf.sprintf "has length %d, must have %s" length must))

let inside path check value =
  try check value with Broken (field, reason) -> raise_notrace (Broken (path () ^ "." ^ field, reason))

let validate message check value =
  match check value with
  | () -> Ok ()
  | exception Broken (field, reason) -> Error { message; field; reason }
