#include <caml/bigarray.h>
#include <caml/fail.h>
#include <caml/version.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "stubs.h"

static int32_t on_message(void *user, const MyceliumMessage *message) {
    value raw = mycelium_ml_raw(message);
    return mycelium_ml_turn(caml_callback_exn(((Cell *)user)->held, raw));
}

/* ---- Runtimes ---- */

CAMLprim value mycelium_ml_abi(value unit) {
    (void)unit;
    return Val_bool(mycelium_abi() == MYCELIUM_ABI);
}

CAMLprim value mycelium_ml_version(value unit) {
    (void)unit;
    return caml_copy_string(mycelium_version());
}

/* `source` is `Text`, `File` or `Process (topology, name)`. `numbers` are workers, topic capacity, inbox
   capacity, seed: 0 for the usual. */
CAMLprim value mycelium_ml_runtime(value contract, value source, value numbers) {
    mycelium_ml_sweep();
    MyceliumOptions options = {
        .size = sizeof options,
        .workers = (uint32_t)Long_val(Field(numbers, 0)),
        .topic_capacity = (uint32_t)Long_val(Field(numbers, 1)),
        .inbox_capacity = (uint32_t)Long_val(Field(numbers, 2)),
        .seed = (uint64_t)Long_val(Field(numbers, 3)),
        .hooks = mycelium_ml_hooks,
    };
    int is_process = Is_block(source), is_file = source == Val_long(1);
    char *text = caml_stat_strdup(String_val(contract));
    char *topology = is_process ? caml_stat_strdup(String_val(Field(source, 0))) : NULL;
    char *name = is_process ? caml_stat_strdup(String_val(Field(source, 1))) : NULL;
    MyceliumHandle runtime = 0;
    int was = mycelium_ml_let_go();
    sigset_t before;
    mycelium_ml_block_signals(&before);
    int64_t made = is_process ? mycelium_runtime_create_from_topology(topology, name, text, &options, &runtime)
                   : is_file  ? mycelium_runtime_create_from_file(text, &options, &runtime)
                              : mycelium_runtime_create(text, &options, &runtime);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    mycelium_ml_take_back(was);
    caml_stat_free(text);
    caml_stat_free(topology);
    caml_stat_free(name);
    mycelium_ml_check(made);
    return caml_copy_int64((int64_t)runtime);
}

CAMLprim value mycelium_ml_close(value runtime, value limit_ms) {
    MyceliumHandle handle = (MyceliumHandle)Int64_val(runtime);
    uint64_t limit = (uint64_t)Long_val(limit_ms);
    int was = mycelium_ml_let_go();
    int64_t closed = mycelium_runtime_close(handle, limit);
    mycelium_ml_take_back(was);
    mycelium_ml_sweep();
    mycelium_ml_check(closed);
    return Val_unit;
}

/* Of any kind. Whether it was there. */
CAMLprim value mycelium_ml_free(value handle) {
    MyceliumHandle it = (MyceliumHandle)Int64_val(handle);
    int was = mycelium_ml_let_go();
    int64_t freed = mycelium_free(it);
    mycelium_ml_take_back(was);
    mycelium_ml_sweep();
    return Val_bool(freed >= 0);
}

CAMLprim value mycelium_ml_check_schema(value runtime, value digest) {
    mycelium_ml_check(mycelium_check_schema((MyceliumHandle)Int64_val(runtime), (uint64_t)Int64_val(digest)));
    return Val_unit;
}

CAMLprim value mycelium_ml_check_message(value runtime, value type_id, value digest) {
    uint16_t id = (uint16_t)Long_val(type_id);
    mycelium_ml_check(mycelium_check_message((MyceliumHandle)Int64_val(runtime), id, (uint64_t)Int64_val(digest)));
    return Val_unit;
}

CAMLprim value mycelium_ml_stats_text(value runtime) {
    MyceliumHandle handle = (MyceliumHandle)Int64_val(runtime);
    size_t room = (size_t)mycelium_ml_check(mycelium_stats_text(handle, NULL, 0)) + 4096;
    char *text = caml_stat_alloc(room);
    int64_t len = mycelium_stats_text(handle, text, room);
    value said = len < 0 ? Val_unit : caml_copy_string(text);
    caml_stat_free(text);
    mycelium_ml_check(len);
    return said;
}

CAMLprim value mycelium_ml_topic_stats(value runtime, value type_id) {
    MyceliumTopicStats stats;
    mycelium_ml_check(mycelium_topic_stats((MyceliumHandle)Int64_val(runtime), (uint16_t)Long_val(type_id), &stats));
    value made = caml_alloc_small(5, 0);
    Field(made, 0) = Val_long(stats.published);
    Field(made, 1) = Val_long(stats.delivered);
    Field(made, 2) = Val_long(stats.waiting);
    Field(made, 3) = Val_long(stats.dropped);
    Field(made, 4) = Val_long(stats.dead_letters);
    return made;
}

CAMLprim value mycelium_ml_failures(value runtime) {
    return Val_long(mycelium_ml_check(mycelium_failures((MyceliumHandle)Int64_val(runtime))));
}

/* ---- Publishing ---- */

CAMLprim value mycelium_ml_publisher(value runtime, value type_id) {
    MyceliumHandle publisher = 0;
    uint16_t id = (uint16_t)Long_val(type_id);
    mycelium_ml_check(mycelium_publisher_create((MyceliumHandle)Int64_val(runtime), id, &publisher));
    return caml_copy_int64((int64_t)publisher);
}

/* Allocates nothing of OCaml's, raises nothing and does not wait. The bytes are read where OCaml has them, or
   where other domains may write to them meanwhile, in a copy: they are checked, and read after that. */
intnat mycelium_ml_try_publish(int64_t publisher, value bytes, intnat len) {
    const uint8_t *data = Bytes_val(bytes);
#if OCAML_VERSION >= 50000
    _Alignas(16) uint8_t small[512];
    /* Without memory it is as if there were no room: the call that waits then says so. */
    uint8_t *copy = (size_t)len <= sizeof small ? small : malloc((size_t)len);
    if (copy == NULL)
        return MYCELIUM_ERROR_FULL;
    memcpy(copy, data, (size_t)len);
    intnat said = (intnat)mycelium_publisher_try_publish((MyceliumHandle)publisher, copy, (size_t)len);
    if (copy != small)
        free(copy);
    return said;
#else
    return (intnat)mycelium_publisher_try_publish((MyceliumHandle)publisher, data, (size_t)len);
#endif
}

CAMLprim value mycelium_ml_try_publish_byte(value publisher, value bytes, value len) {
    return Val_long(mycelium_ml_try_publish(Int64_val(publisher), bytes, Long_val(len)));
}

/* These wait. Values lie in a copy meanwhile. */
CAMLprim value mycelium_ml_publish(value runtime, value type_id, value bytes) {
    MyceliumHandle handle = (MyceliumHandle)Int64_val(runtime);
    uint16_t id = (uint16_t)Long_val(type_id);
    size_t len = caml_string_length(bytes);
    uint8_t *copy = caml_stat_alloc(len + 1);
    memcpy(copy, Bytes_val(bytes), len);
    int was = mycelium_ml_let_go();
    int64_t published = mycelium_publish(handle, id, copy, len);
    mycelium_ml_take_back(was);
    caml_stat_free(copy);
    mycelium_ml_check(published);
    return Val_unit;
}

/* Adds to a reference of an integer. */
static void add_to(value told, size_t published) {
    Store_field(told, 0, Val_long(Long_val(Field(told, 0)) + (intnat)published));
}

/* `told` has how many of all were published, also where this raises. */
CAMLprim value mycelium_ml_publish_many(value runtime, value type_id, value bytes, value stride, value told) {
    CAMLparam1(told);
    MyceliumHandle handle = (MyceliumHandle)Int64_val(runtime);
    uint16_t id = (uint16_t)Long_val(type_id);
    size_t len = caml_string_length(bytes), each = (size_t)Long_val(stride), published = 0;
    uint8_t *copy = caml_stat_alloc(len + 1);
    memcpy(copy, Bytes_val(bytes), len);
    int was = mycelium_ml_let_go();
    int64_t done = mycelium_publish_array(handle, id, copy, each, each == 0 ? 0 : len / each, &published);
    mycelium_ml_take_back(was);
    caml_stat_free(copy);
    add_to(told, published);
    mycelium_ml_check(done);
    CAMLreturn(Val_unit);
}

/* How much of an array is copied and published in one go, if more than one value fits (bytes). */
enum { PIECE = 32768 };

/* The same. Other threads of OCaml may write to the array while this waits: it is published from copies. */
CAMLprim value mycelium_ml_publish_array(value runtime, value type_id, value array, value stride, value count,
                                         value told) {
    CAMLparam2(array, told);
    MyceliumHandle handle = (MyceliumHandle)Int64_val(runtime);
    uint16_t id = (uint16_t)Long_val(type_id);
    size_t each = (size_t)Long_val(stride), left = (size_t)Long_val(count), at = 0;
    size_t most = each > PIECE ? 1 : PIECE / each;
    uint8_t *copy = caml_stat_alloc((left < most ? left : most) * each + 1);
    int64_t done = 0;
    while (left > 0 && done >= 0) {
        size_t many = left < most ? left : most, published = 0;
        memcpy(copy, (const uint8_t *)Caml_ba_data_val(array) + at, many * each);
        int was = mycelium_ml_let_go();
        done = mycelium_publish_array(handle, id, copy, each, many, &published);
        mycelium_ml_take_back(was);
        add_to(told, published);
        at += many * each;
        left -= many;
    }
    caml_stat_free(copy);
    mycelium_ml_check(done);
    CAMLreturn(Val_unit);
}

CAMLprim value mycelium_ml_publish_array_byte(value *arguments, int count) {
    (void)count;
    return mycelium_ml_publish_array(arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}

/* ---- Reading ---- */

CAMLprim value mycelium_ml_reader(value runtime, value topics, value policy, value capacity) {
    MyceliumHandle reader = 0;
    mycelium_ml_check(mycelium_reader_create((MyceliumHandle)Int64_val(runtime), String_val(topics), (int32_t)Long_val(policy),
                                 (uint32_t)Long_val(capacity), &reader));
    return caml_copy_int64((int64_t)reader);
}

CAMLprim value mycelium_ml_wait(value reader, value limit_ms) {
    MyceliumHandle handle = (MyceliumHandle)Int64_val(reader);
    int64_t limit = Long_val(limit_ms);
    int was = mycelium_ml_let_go();
    int64_t found = mycelium_wait(handle, limit);
    mycelium_ml_take_back(was);
    return Val_bool(mycelium_ml_check(found));
}

/* As `mycelium_ml_try_publish`: the messages are written where OCaml wants them. */
intnat mycelium_ml_read(int64_t reader, value buffer, intnat len, intnat most) {
    return (intnat)mycelium_read((MyceliumHandle)reader, Bytes_val(buffer), (size_t)len, (size_t)most);
}

CAMLprim value mycelium_ml_read_byte(value reader, value buffer, value len, value most) {
    return Val_long(mycelium_ml_read(Int64_val(reader), buffer, Long_val(len), Long_val(most)));
}

intnat mycelium_ml_read_array(int64_t reader, intnat type_id, value array) {
    return (intnat)mycelium_read_array((MyceliumHandle)reader, (uint16_t)type_id, Caml_ba_data_val(array),
                                       (size_t)Caml_ba_array_val(array)->dim[0]);
}

CAMLprim value mycelium_ml_read_array_byte(value reader, value type_id, value array) {
    return Val_long(mycelium_ml_read_array(Int64_val(reader), Long_val(type_id), array));
}

CAMLprim value mycelium_ml_subscribe(value runtime, value topics, value policy, value capacity, value callback) {
    mycelium_ml_sweep();
    MyceliumHandle handle = (MyceliumHandle)Int64_val(runtime), subscription = 0;
    int32_t full = (int32_t)Long_val(policy);
    uint32_t room = (uint32_t)Long_val(capacity);
    char *names = caml_stat_strdup(String_val(topics));
    Cell *cell = mycelium_ml_cell(callback);
    if (cell == NULL) {
        caml_stat_free(names);
        caml_raise_out_of_memory();
    }
    int was = mycelium_ml_let_go();
    int64_t made = mycelium_subscribe(handle, names, full, room, on_message, cell, mycelium_ml_release, &subscription);
    mycelium_ml_take_back(was);
    caml_stat_free(names);
    mycelium_ml_check(made);
    return caml_copy_int64((int64_t)subscription);
}
