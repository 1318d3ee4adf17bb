(* Values as JSON, as the golden vectors of Mycelium write them. *)

open Mycelium_scalar

let single value = Int32.float_of_bits (Int32.bits_of_float value)
let json_text = Buffer.add_string
let json_int out value = json_text out (string_of_int value)
let json_i64 out value = json_text out (Int64.to_string value)
let json_u64 out value = json_text out (Uint64.to_string value)
let json_bool out value = json_text out (string_of_bool value)

(* The fewest digits that [read] gets the number back from. *)
let json_float read digits_max out value =
  let rec shortest digits =
    let text = Printf.sprintf "%.*e" (digits - 1) value in
    if digits >= digits_max || read text = value then text else shortest (digits + 1)
  in
  match classify_float value with
  | FP_nan -> json_text out "\"NaN\""
  | FP_infinite -> json_text out (if value > 0. then "\"Infinity\"" else "\"-Infinity\"")
  | FP_zero -> json_text out (if 1. /. value > 0. then "0.0" else "-0.0")
  | _ ->
    let text = shortest 1 in
    let split = String.index text 'e' in
    let exponent = int_of_string (String.sub text (split + 1) (String.length text - split - 1)) in
    let minus = if value < 0. then 1 else 0 in
    let digits =
      String.concat "" (String.split_on_char '.' (String.sub text minus (split - minus)))
    in
    let count = String.length digits in
    if minus = 1 then json_text out "-";
    if exponent < -4 || exponent >= 16 then (
      json_text out (String.sub digits 0 1);
      if count > 1 then json_text out ("." ^ String.sub digits 1 (count - 1));
      json_text out (Printf.sprintf "e%d" exponent))
    else if exponent < 0 then json_text out ("0." ^ String.make (-exponent - 1) '0' ^ digits)
    else
      let digits = if count < exponent + 2 then digits ^ String.make (exponent + 2 - count) '0' else digits in
      let whole = exponent + 1 in
      json_text out (String.sub digits 0 whole);
      json_text out ("." ^ String.sub digits whole (String.length digits - whole))

let json_f64 = json_float float_of_string 17
let json_f32 = json_float (fun text -> single (float_of_string text)) 9

let json_string out value =
  let text = Bytes.unsafe_of_string value in
  let high = String.length value in
  let unit code = json_text out (Printf.sprintf "\\u%04x" code) in
  let rec from at =
    if at < high then (
      let length = utf8_at text at high in
      let byte n = Bytes.get_uint8 text (at + n) in
      let more n = byte n land 0x3f in
      (match length with
      | 0 -> unit 0xfffd
      | 1 -> (
        match value.[at] with
        | ('"' | '\\') as c -> json_text out (Printf.sprintf "\\%c" c)
        | ' ' .. '~' as c -> Buffer.add_char out c
        | c -> unit (Char.code c))
      | 2 -> unit (((byte 0 land 0x1f) lsl 6) lor more 1)
      | 3 -> unit (((byte 0 land 0xf) lsl 12) lor (more 1 lsl 6) lor more 2)
      | _ ->
        let code = ((byte 0 land 7) lsl 18) lor (more 1 lsl 12) lor (more 2 lsl 6) lor more 3 in
        unit (0xd800 lor ((code - 0x10000) lsr 10));
        unit (0xdc00 lor (code land 0x3ff)));
      from (at + max 1 length))
  in
  Buffer.add_char out '"';
  from 0;
  Buffer.add_char out '"'

let json_quoted out text = json_text out ("\"" ^ text ^ "\"")
let json_decimal out value = json_quoted out (Decimal.to_string value)
let json_u256 out value = json_quoted out (U256.to_string value)
let json_i256 out value = json_quoted out (I256.to_string value)

let json_hex out value =
  Buffer.add_char out '"';
  Bytes.iter (fun byte -> json_text out (Printf.sprintf "%02x" (Char.code byte))) value;
  Buffer.add_char out '"'

let json_option json out value = match value with None -> json_text out "null" | Some value -> json out value

let json_array json out items =
  json_text out "[";
  Array.iteri
    (fun at item ->
      if at > 0 then json_text out ", ";
      json out item)
    items;
  json_text out "]"

let json_blob out value =
  json_array json_int out (Array.init (Bytes.length value) (Bytes.get_uint8 value))

let json write value =
  let out = Buffer.create 256 in
  write out value;
  Buffer.contents out
