(** What the generated codecs share: how values stand in bytes (docs/wire.md of Mycelium), and the errors. *)

(** Why bytes are no value of a message. The text says which rule they break, and at which byte. *)
type error =
  | Truncated of string  (** There are fewer bytes than the message's root has. *)
  | Version of string  (** The version and the length of the root do not go together. *)
  | Invalid of string  (** The bytes break a rule of the format. *)

val error_to_string : error -> string

(** A field that breaks a rule of the contract. *)
type violation = {
  message : string;  (** The message, struct or enum that was validated. *)
  field : string;  (** The field, with dots and indices for nested ones: [legs[2].price]. *)
  reason : string;  (** Such as [is 0, must be at least 1]. *)
}

val violation_to_string : violation -> string

(** Bytes outside of OCaml's heap, as batches stand in them. *)
type bigstring = (char, Stdlib.Bigarray.int8_unsigned_elt, Stdlib.Bigarray.c_layout) Stdlib.Bigarray.Array1.t

(** A [u64] is an [int64] with the same 64 bits: what is above [Int64.max_int] looks negative to the functions
    of [Int64]. Print, read and compare it with these; [+] and [*] are those of [Int64]. *)
module Uint64 : sig
  type t = int64

  val to_string : t -> string

  (** Decimal digits alone; [None] for anything else, and for what does not fit. *)
  val of_string : string -> t option

  val compare : t -> t -> int
end

(** A [Timestamp] is an [int64]: nanoseconds since 1970-01-01T00:00:00Z, without leap seconds. *)
module Timestamp : sig
  type t = int64

  (** As RFC 3339 writes it, in UTC: [2023-11-14T22:13:20.000000001Z]. *)
  val to_string : t -> string
end

(** Exact decimal numbers of at most 96 bits and 28 digits behind the point. [=] tells [1.5] and [1.50] apart,
    {!compare} and {!equal} do not. *)
module Decimal : sig
  type t

  val zero : t

  (** Digits with an optional sign, and an optional point between digits. [None] for anything else, and for
      what does not fit. The digits behind the point are kept: [1.50] stays [1.50]. *)
  val of_string : string -> t option

  val to_string : t -> string
  val of_int : int -> t

  (** How many digits stand behind the point. *)
  val scale : t -> int

  val to_float : t -> float
  val compare : t -> t -> int
  val equal : t -> t -> bool
end

(** What the two kinds of integers of 256 bits have in common. *)
module type WIDE = sig
  type t

  val zero : t

  (** Decimal digits, perhaps behind a sign. [None] for anything else, and for what does not fit. *)
  val of_string : string -> t option

  val to_string : t -> string

  (** Raises [Invalid_argument] for what does not fit. *)
  val of_int : int -> t

  (** 32 bytes, the least significant first. [None] for another length. *)
  val of_bytes_le : bytes -> t option

  val to_bytes_le : t -> bytes
  val compare : t -> t -> int
  val equal : t -> t -> bool
end

module U256 : WIDE
module I256 : WIDE

(** What every message has beside its fields. *)
module type MESSAGE = sig
  type t

  val name : string

  (** The frame's type id. *)
  val type_id : int

  val topic : string

  (** The version with which {!encode} writes. *)
  val version : int

  (** The length of the root of that version, in bytes. *)
  val root_len : int

  (** Whether the root is all there is of a value. *)
  val fixed : bool

  (** The digest of the layout of that version. *)
  val digest : int64

  (** The value as it stands on the wire. Does not validate.

      @raise Invalid_argument naming a field that holds what its type cannot: a number out of range, a text
      that is not UTF-8, an array of another length. *)
  val encode : t -> bytes

  (** The message that stands in these bytes, written with {!version}. Does not validate. *)
  val decode : bytes -> (t, error) result

  (** The same of a value that was written with this version and this length of the root: both are in the
      frame. Fields that an older writer did not know take their defaults; what a newer one added is
      ignored. *)
  val decode_version : version:int -> root_len:int -> bytes -> (t, error) result

  (** {!decode_version} with the error as a text: what the library [mycelium] calls, which knows no types of
      this one. *)
  val read : version:int -> root_len:int -> bytes -> (t, string) result

  (** Checks the rules of the contract; the error is the first that is broken. *)
  val validate : t -> (unit, violation) result

  (** For logs: the fields as JSON, as the golden vectors write them. A float has as many digits as it takes
      to read it back. *)
  val to_json : t -> string
end

(**/**)

(** For generated code alone. *)

exception Bad of error

type reader = { buf : bytes; mutable low : int; mutable high : int }
type writer = { mutable bytes : bytes; mutable len : int; places : place; mutable field : int }
and place

val bad_tag : string -> int -> int -> int -> 'a
val u8 : reader -> int -> int
val i8 : reader -> int -> int
val u16 : reader -> int -> int
val i16 : reader -> int -> int
val u32 : reader -> int -> int
val i32 : reader -> int -> int
val i64 : reader -> int -> int64
val f32 : reader -> int -> float
val f64 : reader -> int -> float
val bool : reader -> int -> bool
val decimal : reader -> int -> Decimal.t
val u256 : reader -> int -> U256.t
val i256 : reader -> int -> I256.t
val string : reader -> int -> string
val bytes : reader -> int -> bytes
val blob : int -> reader -> int -> bytes
val option : (reader -> int -> 'a) -> int -> reader -> int -> 'a option
val array : (reader -> int -> 'a) -> int -> int -> reader -> int -> 'a array
val list : (reader -> int -> 'a) -> int -> int -> reader -> int -> 'a array

module View : sig
  val u8 : bytes -> int -> int
  val i8 : bytes -> int -> int
  val u16 : bytes -> int -> int
  val i16 : bytes -> int -> int
  val u32 : bytes -> int -> int
  val i32 : bytes -> int -> int
  val i64 : bytes -> int -> int64
  val f32 : bytes -> int -> float
  val f64 : bytes -> int -> float
  val other : (reader -> int -> 'a) -> int -> bytes -> int -> 'a
  val check : int -> (reader -> int -> unit) option -> bytes -> int -> (unit, error) result
end

module Big : sig
  val u8 : bigstring -> int -> int
  val i8 : bigstring -> int -> int
  val u16 : bigstring -> int -> int
  val i16 : bigstring -> int -> int
  val u32 : bigstring -> int -> int
  val i32 : bigstring -> int -> int
  val i64 : bigstring -> int -> int64
  val f32 : bigstring -> int -> float
  val f64 : bigstring -> int -> float
  val other : (reader -> int -> 'a) -> int -> bigstring -> int -> 'a
  val check : int -> (reader -> int -> unit) option -> bigstring -> int -> (unit, error) result
end

val decode :
  string ->
  (int * int * int * bool) array ->
  int ->
  (int -> reader -> int -> 'a) ->
  version:int ->
  root_len:int ->
  bytes ->
  ('a, error) result

val read : ('a, error) result -> ('a, string) result
val no_out : writer -> 'a -> unit
val put_u8 : writer -> int -> int -> unit
val put_i8 : writer -> int -> int -> unit
val put_u16 : writer -> int -> int -> unit
val put_i16 : writer -> int -> int -> unit
val put_u32 : writer -> int -> int -> unit
val put_i32 : writer -> int -> int -> unit
val put_i64 : writer -> int -> int64 -> unit
val put_f32 : writer -> int -> float -> unit
val put_f64 : writer -> int -> float -> unit
val put_bool : writer -> int -> bool -> unit
val put_decimal : writer -> int -> Decimal.t -> unit
val put_u256 : writer -> int -> U256.t -> unit
val put_i256 : writer -> int -> I256.t -> unit
val out_string : writer -> string -> unit
val put_string : writer -> int -> string -> unit
val out_bytes : writer -> bytes -> unit
val put_bytes : writer -> int -> bytes -> unit
val put_blob : int -> writer -> int -> bytes -> unit
val out_option : (writer -> 'a -> unit) -> writer -> 'a option -> unit
val put_option : (writer -> int -> 'a -> unit) -> int -> writer -> int -> 'a option -> unit
val out_array : (writer -> 'a -> unit) -> writer -> 'a array -> unit
val put_array : (writer -> int -> 'a -> unit) -> int -> int -> writer -> int -> 'a array -> unit

val out_list :
  (writer -> 'a -> unit) -> (writer -> int -> 'a -> unit) -> int -> int -> writer -> 'a array -> unit

val put_list : writer -> int -> 'a array -> unit

val encode :
  string ->
  string array ->
  int ->
  int ->
  bool ->
  (writer -> 'a -> unit) ->
  (writer -> int -> 'a -> unit) ->
  'a ->
  bytes

val decimal_literal : bool -> string -> int -> Decimal.t
val u256_literal : string -> U256.t
val i256_literal : string -> I256.t
val single : float -> float
val ascii : string -> bool
val index : string -> int -> string
val iter_option : ('a -> unit) -> 'a option -> unit
val iteri_bytes : (int -> int -> unit) -> bytes -> unit
val broken : string -> (Stdlib.Buffer.t -> 'a -> unit) -> 'a -> string -> 'b
val broken_length : string -> int -> string -> 'a
val inside : (unit -> string) -> ('a -> unit) -> 'a -> unit
val validate : string -> ('a -> unit) -> 'a -> (unit, violation) result
val json_text : Stdlib.Buffer.t -> string -> unit
val json_int : Stdlib.Buffer.t -> int -> unit
val json_i64 : Stdlib.Buffer.t -> int64 -> unit
val json_u64 : Stdlib.Buffer.t -> int64 -> unit
val json_f32 : Stdlib.Buffer.t -> float -> unit
val json_f64 : Stdlib.Buffer.t -> float -> unit
val json_bool : Stdlib.Buffer.t -> bool -> unit
val json_decimal : Stdlib.Buffer.t -> Decimal.t -> unit
val json_u256 : Stdlib.Buffer.t -> U256.t -> unit
val json_i256 : Stdlib.Buffer.t -> I256.t -> unit
val json_string : Stdlib.Buffer.t -> string -> unit
val json_hex : Stdlib.Buffer.t -> bytes -> unit
val json_blob : Stdlib.Buffer.t -> bytes -> unit
val json_option : (Stdlib.Buffer.t -> 'a -> unit) -> Stdlib.Buffer.t -> 'a option -> unit
val json_array : (Stdlib.Buffer.t -> 'a -> unit) -> Stdlib.Buffer.t -> 'a array -> unit
val json : (Stdlib.Buffer.t -> 'a -> unit) -> 'a -> string
