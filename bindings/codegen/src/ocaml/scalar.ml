(* Values that OCaml has no type of its own for, and texts. Mycelium_wire hides how they are made. *)

module Uint64 = struct
  type t = int64

  let to_string = Printf.sprintf "%Lu"
  let is_digit c = '0' <= c && c <= '9'

  let of_string text =
    let digits = text <> "" && List.for_all is_digit (List.of_seq (String.to_seq text)) in
    if digits then Int64.of_string_opt ("0u" ^ text) else None

  let compare = Int64.unsigned_compare
end

module Timestamp = struct
  type t = int64

  let floor_div a b = if a >= 0 then a / b else ((a + 1) / b) - 1

  (* The calendar of Gregory from days since 1970, counted in cycles of 400 years that begin in March. *)
  let date days =
    let days = days + 719_468 in
    let era = floor_div days 146_097 in
    let day_of_era = days - (era * 146_097) in
    let year_of_era =
      (day_of_era - (day_of_era / 1_460) + (day_of_era / 36_524) - (day_of_era / 146_096)) / 365
    in
    let day_of_year = day_of_era - ((365 * year_of_era) + (year_of_era / 4) - (year_of_era / 100)) in
    let month = ((5 * day_of_year) + 2) / 153 in
    let day = day_of_year - (((153 * month) + 2) / 5) + 1 in
    let month = if month < 10 then month + 3 else month - 9 in
    ((era * 400) + year_of_era + if month <= 2 then 1 else 0), month, day

  let to_string nanos =
    let below = Int64.to_int (Int64.rem nanos 1_000_000_000L) in
    let seconds = Int64.to_int (Int64.div nanos 1_000_000_000L) in
    let seconds, below = if below < 0 then seconds - 1, below + 1_000_000_000 else seconds, below in
    let days = floor_div seconds 86_400 in
    let second = seconds - (days * 86_400) in
    let year, month, day = date days in
    let fraction = if below = 0 then "" else Printf.sprintf ".%09d" below in
    let hour, minute = second / 3_600, second / 60 mod 60 in
    Printf.sprintf "%04d-%02d-%02dT%02d:%02d:%02d%sZ" year month day hour minute (second mod 60) fraction
end

(* Numbers without sign in bytes, the least significant first. *)
module Magnitude = struct
  (* Multiplies in place by less than 2^31 and adds; what does not fit is returned. *)
  let multiply_add number factor plus =
    let carry = ref plus in
    for at = 0 to Bytes.length number - 1 do
      let product = (Bytes.get_uint8 number at * factor) + !carry in
      Bytes.set_uint8 number at (product land 0xff);
      carry := product lsr 8
    done;
    !carry

  (* Divides in place; the remainder is returned. *)
  let divide number by =
    let rest = ref 0 in
    for at = Bytes.length number - 1 downto 0 do
      let part = (!rest lsl 8) lor Bytes.get_uint8 number at in
      Bytes.set_uint8 number at (part / by);
      rest := part mod by
    done;
    !rest

  let is_zero number =
    let rec from at = at < 0 || (Bytes.get_uint8 number at = 0 && from (at - 1)) in
    from (Bytes.length number - 1)

  let negate number =
    let carry = ref 1 in
    for at = 0 to Bytes.length number - 1 do
      let sum = (Bytes.get_uint8 number at lxor 0xff) + !carry in
      Bytes.set_uint8 number at (sum land 0xff);
      carry := sum lsr 8
    done

  (* Of equal lengths. *)
  let compare left right =
    let rec from at =
      if at < 0 then 0
      else
        match Int.compare (Bytes.get_uint8 left at) (Bytes.get_uint8 right at) with
        | 0 -> from (at - 1)
        | order -> order
    in
    from (Bytes.length left - 1)

  let to_string number =
    let number = Bytes.copy number in
    let rec parts tail =
      let part = divide number 1_000_000_000 in
      if is_zero number then String.concat "" (string_of_int part :: tail)
      else parts (Printf.sprintf "%09d" part :: tail)
    in
    parts []

  (* The digits of a text from [from] on, as a number of this many bytes. *)
  let of_string text from length =
    let number = Bytes.make length '\000' in
    let rec digits at =
      if at = String.length text then Some number
      else if Uint64.is_digit text.[at] && multiply_add number 10 (Char.code text.[at] - 48) = 0 then
        digits (at + 1)
      else None
    in
    if from >= String.length text then None else digits from
end

(* Whether there is a minus, and where what follows begins. *)
let sign text =
  if text = "" then false, 0
  else match text.[0] with '-' -> true, 1 | '+' -> false, 1 | _ -> false, 0

module Decimal = struct
  type t = { negative : bool; mantissa : string; scale : int }

  let mantissa_len = 12
  let scale_max = 28
  let zero = { negative = false; mantissa = String.make mantissa_len '\000'; scale = 0 }
  let is_zero value = value.mantissa = zero.mantissa

  let of_string text =
    let negative, from = sign text in
    let length = String.length text - from in
    let digits, scale =
      match String.index_opt text '.' with
      | None -> String.sub text from length, 0
      | Some point ->
        let scale = String.length text - point - 1 in
        (* No digit in front of the point, or behind it, makes it no number. *)
        if point = from || scale = 0 then "", 0
        else String.sub text from (point - from) ^ String.sub text (point + 1) scale, scale
    in
    match Magnitude.of_string digits 0 mantissa_len with
    | Some mantissa when scale <= scale_max ->
      let negative = negative && not (Magnitude.is_zero mantissa) in
      Some { negative; mantissa = Bytes.unsafe_to_string mantissa; scale }
    | _ -> None

  let to_string { negative; mantissa; scale } =
    let digits = Magnitude.to_string (Bytes.of_string mantissa) in
    let missing = scale + 1 - String.length digits in
    let digits = if missing > 0 then String.make missing '0' ^ digits else digits in
    let whole = String.length digits - scale in
    let text =
      if scale = 0 then digits else String.sub digits 0 whole ^ "." ^ String.sub digits whole scale
    in
    if negative then "-" ^ text else text

  let of_int value =
    (* 63 bits fit. *)
    Option.value (of_string (string_of_int value)) ~default:zero

  let scale value = value.scale
  let to_float value = float_of_string (to_string value)

  (* 96 bits times 10^28 fit into 24 bytes. *)
  let raised value scale =
    let number = Bytes.make 24 '\000' in
    Bytes.blit_string value.mantissa 0 number 0 mantissa_len;
    for _ = value.scale + 1 to scale do
      ignore (Magnitude.multiply_add number 10 0)
    done;
    number

  let compare left right =
    if left.negative <> right.negative then if left.negative then -1 else 1
    else
      let scale = max left.scale right.scale in
      let order = Magnitude.compare (raised left scale) (raised right scale) in
      if left.negative then -order else order

  let equal left right = compare left right = 0
end

module type WIDE = sig
  type t

  val zero : t
  val of_string : string -> t option
  val to_string : t -> string
  val of_int : int -> t
  val of_bytes_le : bytes -> t option
  val to_bytes_le : t -> bytes
  val compare : t -> t -> int
  val equal : t -> t -> bool
end

module Wide (Kind : sig
  val signed : bool
end) =
struct
  type t = string

  let size = 32
  let zero = String.make size '\000'
  let is_negative value = Kind.signed && Char.code value.[size - 1] >= 0x80
  let to_bytes_le = Bytes.of_string
  let of_bytes_le number = if Bytes.length number = size then Some (Bytes.to_string number) else None

  let of_string text =
    let minus, from = sign text in
    match Magnitude.of_string text from size with
    | None -> None
    | Some number ->
      let top () = Bytes.get_uint8 number (size - 1) in
      let fits =
        if not Kind.signed then (not minus) || Magnitude.is_zero number
        else if minus then (
          Magnitude.negate number;
          top () >= 0x80 || Magnitude.is_zero number)
        else top () < 0x80
      in
      if fits then Some (Bytes.unsafe_to_string number) else None

  let to_string value =
    let number = Bytes.of_string value in
    if is_negative value then (
      Magnitude.negate number;
      "-" ^ Magnitude.to_string number)
    else Magnitude.to_string number

  let of_int value =
    match of_string (string_of_int value) with
    | Some value -> value
    | None -> invalid_arg (Printf.sprintf "%d is below zero, a U256 is not" value)

  let compare left right =
    match is_negative left, is_negative right with
    | true, false -> -1
    | false, true -> 1
    | _ -> Magnitude.compare (Bytes.unsafe_of_string left) (Bytes.unsafe_of_string right)

  let equal = String.equal
end

module U256 = Wide (struct
  let signed = false
end)

module I256 = Wide (struct
  let signed = true
end)

(* The bytes of the character of UTF-8 at [at]; 0 if there is none. *)
let utf8_at text at high =
  let byte n = Bytes.get_uint8 text (at + n) in
  let goes_on n = at + n < high && byte n land 0xc0 = 0x80 in
  let first = byte 0 in
  if first < 0x80 then 1
  else if first < 0xc2 then 0
  else if first < 0xe0 then if goes_on 1 then 2 else 0
  else if first < 0xf0 then
    if goes_on 1 && goes_on 2 && (first <> 0xe0 || byte 1 >= 0xa0) && (first <> 0xed || byte 1 < 0xa0) then 3
    else 0
  else if
    first < 0xf5 && goes_on 1 && goes_on 2 && goes_on 3
    && (first <> 0xf0 || byte 1 >= 0x90)
    && (first <> 0xf4 || byte 1 < 0x90)
  then 4
  else 0

let rec is_utf8 text at high =
  at = high
  ||
  match utf8_at text at high with
  | 0 -> false
  | length -> is_utf8 text (at + length) high
