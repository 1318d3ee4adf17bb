/* Mycelium for C. Made from bindings/ffi by cbindgen: edit that, not this. docs/c.md walks through it.
 *
 * A function returns 0 or a count, or an error below zero (MYCELIUM_ERROR_*), and mycelium_error() has the text of the last
 * one on this thread. Things are handles: one that was freed, or was never made, is an error and no crash. Pointers are
 * read during the call alone, unless a function says otherwise. Every function may be called on every thread. */


#ifndef MYCELIUM_H
#define MYCELIUM_H

#include <stddef.h>
#include <stdint.h>

// The version of this interface: it rises when something that was there changes.
#define MYCELIUM_ABI 1

// What kind of error a function has returned. The numbers never change.
enum MyceliumError
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int64_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The runtime, or what was asked of, is closed.
    MYCELIUM_ERROR_CLOSED = -1,
    // A queue is full.
    MYCELIUM_ERROR_FULL = -2,
    // No answer came in time.
    MYCELIUM_ERROR_TIMEOUT = -3,
    // The contract cannot be read, or lacks the message or topic.
    MYCELIUM_ERROR_CONTRACT = -4,
    // The program was generated with another contract.
    MYCELIUM_ERROR_DIGEST = -5,
    // The bytes are no value of their message.
    MYCELIUM_ERROR_VALUE = -6,
    // A buffer is too small for the next message, or the message is none of those that the batch takes.
    MYCELIUM_ERROR_BUFFER = -7,
    // A callback called what waits for callbacks, or would wait for itself.
    MYCELIUM_ERROR_INSIDE = -8,
    // Nobody is at this address, or the actor there has ended.
    MYCELIUM_ERROR_NO_ADDRESS = -9,
    // A supervision tree, or a child of it.
    MYCELIUM_ERROR_TREE = -10,
    // A callback failed, or has not returned.
    MYCELIUM_ERROR_CALLBACK = -11,
    // The system: threads, memory.
    MYCELIUM_ERROR_SYSTEM = -12,
    // An argument makes no sense: a null pointer, a text that is not UTF-8, a number out of range.
    MYCELIUM_ERROR_ARGUMENT = -13,
    // The handle is of another kind, was freed, or was never made.
    MYCELIUM_ERROR_HANDLE = -14,
    // A fault of this library. It goes on; please report it.
    MYCELIUM_ERROR_PANIC = -15,
    // The process was forked after this was made: its threads are not here.
    MYCELIUM_ERROR_FORKED = -16,
    // What looks while this thread waits (`mycelium_on_wait`, which says what becomes of it) has ended the
    // wait.
    MYCELIUM_ERROR_INTERRUPTED = -17,
    // The topology cannot be used: the text has the file, the line, the cause and the remedy.
    MYCELIUM_ERROR_TOPOLOGY = -18,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum MyceliumError MyceliumError;
#else
typedef int64_t MyceliumError;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What happens when a subscription is full.
enum MyceliumPolicy
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Publishers wait.
    MYCELIUM_POLICY_BLOCK = 0,
    // The oldest message is dropped, and counted.
    MYCELIUM_POLICY_DROP_OLDEST = 1,
    // The new message is dropped, and counted.
    MYCELIUM_POLICY_DROP_NEWEST = 2,
    // The publish fails.
    MYCELIUM_POLICY_FAIL = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum MyceliumPolicy MyceliumPolicy;
#else
typedef int32_t MyceliumPolicy;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// When a child is restarted.
enum MyceliumRestart
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Always.
    MYCELIUM_RESTART_PERMANENT = 0,
    // After a failure.
    MYCELIUM_RESTART_TRANSIENT = 1,
    // Never.
    MYCELIUM_RESTART_TEMPORARY = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum MyceliumRestart MyceliumRestart;
#else
typedef int32_t MyceliumRestart;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Which children are restarted when one ends.
enum MyceliumStrategy
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // That one.
    MYCELIUM_STRATEGY_ONE_FOR_ONE = 0,
    // All.
    MYCELIUM_STRATEGY_ONE_FOR_ALL = 1,
    // That one and those after it.
    MYCELIUM_STRATEGY_REST_FOR_ONE = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum MyceliumStrategy MyceliumStrategy;
#else
typedef int32_t MyceliumStrategy;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// A runtime, publisher, reader, subscription, supervisor, tree or address. 0 is none.
typedef uint64_t MyceliumHandle;

// What a thread that calls back does besides: for interpreters with a lock. All may be null.
typedef struct MyceliumThreadHooks {
    // Passed to each of them.
    void *user;
    // A thread has begun. It calls back from now on.
    void (*started)(void *user);
    // It has nothing to do and waits: give the lock back.
    void (*before_wait)(void *user);
    // It has waited: take the lock.
    void (*after_wait)(void *user);
    // It calls back no more.
    void (*ended)(void *user);
} MyceliumThreadHooks;

// How a runtime is made. Set it to zero, then `size`, then what you want: 0 stands for the usual.
typedef struct MyceliumOptions {
    // `sizeof(MyceliumOptions)`.
    size_t size;
    // Threads that run supervisors and timers; 1 unless set, 1,024 at most. Actors and callbacks have their
    // own.
    uint32_t workers;
    // How many messages may wait for a subscriber that does not say it.
    uint32_t topic_capacity;
    // How many messages that were told or asked wait for one actor.
    uint32_t inbox_capacity;
    // From which random numbers of actors are drawn.
    uint64_t seed;
    // What threads that call back do besides.
    struct MyceliumThreadHooks hooks;
} MyceliumOptions;

// A message of a contract.
typedef struct MyceliumDescribed {
    // Its type id.
    uint16_t type_id;
    // Its current version.
    uint16_t version;
    // How long the root of that is, in bytes: the whole value of a message of fixed size.
    uint32_t root_len;
    // The digest of that version.
    uint64_t digest;
} MyceliumDescribed;

// What looks while a thread waits: 0 to go on waiting.
typedef int32_t (*MyceliumLook)(void *user);

// The counters of one topic. Each published message is, for each subscriber, delivered, waiting, dropped
// or a dead letter.
typedef struct MyceliumTopicStats {
    // Messages that a subscriber was there for.
    uint64_t published;
    // Messages read or handled, summed over subscribers.
    uint64_t delivered;
    // Messages that wait.
    uint64_t waiting;
    // Messages dropped by a policy, or that waited for a subscriber that left.
    uint64_t dropped;
    // Messages in the hand of an actor that failed.
    uint64_t dead_letters;
} MyceliumTopicStats;

// A message, as callbacks see it. It is there until the callback returns.
typedef struct MyceliumMessage {
    // The value, as `docs/wire.md` describes it. That of a topic starts at a multiple of 8 in memory.
    const uint8_t *bytes;
    // Its length, in bytes.
    size_t len;
    // The message's type id.
    uint16_t type_id;
    // The version of the value.
    uint16_t version;
    // How many of its last bytes are its root.
    uint32_t root_len;
    // Its place in the order of the bus; 0 for what was told or asked.
    uint64_t stamp;
    // When it was published, in nanoseconds since 1970; 0 for what was told or asked.
    int64_t published_ns;
    // The id of the actor that published it; 0 for somebody outside.
    uint64_t sender;
} MyceliumMessage;

// Called for each message, on the runtime's delivery thread. 0: it was handled; else it failed, see
// `mycelium_fail`.
typedef int32_t (*MyceliumCallback)(void *user, const struct MyceliumMessage *message);

// Called once, when nothing calls with `user` any more.
typedef void (*MyceliumRelease)(void *user);

// What an actor is made of. Set it to zero, then `size`, then what you want. Functions may be null, but for
// `create`.
//
// Each actor has a thread of its own, on which all functions but `release` are called, one at a time. Those
// that return an `int32_t` return 0, or else the life ends and the supervisor decides: `return
// mycelium_fail("why");`.
typedef struct MyceliumActor {
    // `sizeof(MyceliumActor)`.
    size_t size;
    // Passed to `create`.
    void *user;
    // Makes the state of a new life. Null says that it failed, see `mycelium_fail`.
    void *(*create)(void *user);
    // Before the first message of a life.
    int32_t (*started)(void *state);
    // A message of one of its topics.
    int32_t (*message)(void *state, const struct MyceliumMessage *message);
    // A message that was told to it. If this is null, the life ends on it.
    int32_t (*told)(void *state, const struct MyceliumMessage *message);
    // A query, which it answers with `mycelium_reply`. A failure goes to whoever asked and ends nothing.
    int32_t (*query)(void *state, const struct MyceliumMessage *query);
    // A timer of `mycelium_self_schedule`.
    int32_t (*timer)(void *state, uint64_t number);
    // The actor that it watches under this number has ended.
    int32_t (*down)(void *state, uint64_t number, const char *reason);
    // After each batch of messages, but for one that the end of the life ends: `stopping` comes then alone.
    int32_t (*batch_ended)(void *state);
    // Before the end of a life that was told to stop, or failed.
    void (*stopping)(void *state, const char *reason);
    // Frees the state of a life.
    void (*destroy)(void *state);
    // Called with `user` when no life will be made any more.
    MyceliumRelease release;
    // Topics whose messages it receives, as `mycelium_reader_create` takes them. Null for none.
    const char *topics;
    // What happens when its queue is full: one of `MYCELIUM_POLICY_*`.
    int32_t policy;
    // How many messages of a topic may wait; 0 for the usual.
    uint32_t capacity;
    // When it is restarted: one of `MYCELIUM_RESTART_*`.
    int32_t restart;
    // How often a message on which it fails is tried in all. 0 and 1: once, and then it is a dead letter.
    uint32_t attempts;
    // It is reported after so long without progress, and restarted if `heals` is not 0. 0: not looked at.
    uint64_t stuck_after_ms;
    // See `stuck_after_ms`. A function that never returns cannot be ended.
    int32_t heals;
    // Whether it counts as started when it calls `mycelium_self_ready`, rather than when `started` has
    // returned.
    int32_t ready_when_told;
    // How long it may take to end; 0 for 5 s.
    uint64_t shutdown_ms;
} MyceliumActor;

// The header of each message in a buffer of `mycelium_read`. The value follows, `len` bytes, and then zero
// bytes up to a multiple of 8.
typedef struct MyceliumRecord {
    // The message's type id.
    uint16_t type_id;
    // The version of the value.
    uint16_t version;
    // The length of the value, in bytes.
    uint32_t len;
    // How many of its last bytes are its root.
    uint32_t root_len;
    // Zero.
    uint32_t reserved;
    // Its place in the order of the bus.
    uint64_t stamp;
    // When it was published, in nanoseconds since 1970.
    int64_t published_ns;
    // The id of the actor that published it; 0 for somebody outside.
    uint64_t sender;
} MyceliumRecord;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The text of the last error on this thread: what is wrong, and what to do about it. It is there until the
// next call of this function on this thread. Empty where nothing went wrong.
const char *mycelium_error(void);

// Says why the callback that runs on this thread fails; it returns what this returns, which is not 0. The
// text is copied; bytes of it that are not UTF-8 are replaced. An actor's text is the reason of its end.
int32_t mycelium_fail(const char *text);

// Frees a handle of any kind. A runtime is closed (5 s at most, see `mycelium_runtime_close`), a reader and
// a subscription end, a tree is told to stop and not waited for. Freeing a handle twice is an error.
int64_t mycelium_free(MyceliumHandle handle);

// The version of this library, such as "0.1.0".
const char *mycelium_version(void);

// Which version of this interface the library has: compare it with `MYCELIUM_ABI` of the header.
uint32_t mycelium_abi(void);

// Starts a runtime whose messages are those of a contract: the text of `contracts.yaml`, or of the table
// that was made of it. `options` may be null. Close it with `mycelium_runtime_close`, and free it with
// `mycelium_free`.
int64_t mycelium_runtime_create(const char *contract,
                                const struct MyceliumOptions *options,
                                MyceliumHandle *runtime);

// The same for a contract in a file.
int64_t mycelium_runtime_create_from_file(const char *path,
                                          const struct MyceliumOptions *options,
                                          MyceliumHandle *runtime);

// Starts the runtime of the process that a topology describes under a name: of the node, or of a service
// that runs in it. `topology` is the path of a `topology.toml`, and `contract` a text, as above. It listens
// when this returns, and dials from then on: the processes may start in any order. In a monolith it does
// neither. `mycelium_runtime_close` waits until the others have what was published.
// `MYCELIUM_ERROR_TOPOLOGY`: the file, the line, the cause and the remedy.
int64_t mycelium_runtime_create_from_topology(const char *topology,
                                              const char *name,
                                              const char *contract,
                                              const struct MyceliumOptions *options,
                                              MyceliumHandle *runtime);

// The same for a contract in a file.
int64_t mycelium_runtime_create_from_files(const char *topology,
                                           const char *name,
                                           const char *contract_path,
                                           const struct MyceliumOptions *options,
                                           MyceliumHandle *runtime);

// Ends everything: takes nothing more from outside, ends trees and actors in their order, calls callbacks
// for what still waits, and stops all threads, within `limit_ms`. When it returns, no callback runs, unless
// it returns `MYCELIUM_ERROR_CALLBACK`. Not to be called from a callback. The handle stays until
// `mycelium_free`, and whatever uses it meanwhile is refused.
int64_t mycelium_runtime_close(MyceliumHandle runtime, uint64_t limit_ms);

// Whether the contract is the one that generated code with this digest of the schema was made from.
int64_t mycelium_check_schema(MyceliumHandle runtime, uint64_t digest);

// The same for one message.
int64_t mycelium_check_message(MyceliumHandle runtime, uint16_t type_id, uint64_t digest);

// What the contract says of the message with this type id.
int64_t mycelium_describe(MyceliumHandle runtime, uint16_t type_id, struct MyceliumDescribed *described);

// Publishes a value of the current version, and keeps the thread while a `BLOCK` subscriber is full. From an
// actor's callback it is the actor who publishes. 0 says that each queue has it, or has counted it as
// dropped.
int64_t mycelium_publish(MyceliumHandle runtime, uint16_t type_id, const uint8_t *bytes, size_t len);

// The same without waiting: `MYCELIUM_ERROR_FULL` instead.
int64_t mycelium_try_publish(MyceliumHandle runtime, uint16_t type_id, const uint8_t *bytes, size_t len);

// Has `look` called with `user` on this thread about every 50 ms from now on, while a call of this thread
// waits to publish, to tell, for an answer, for a tree or for the end of a runtime; null ends that. Where it
// returns anything but 0, the call ends with `MYCELIUM_ERROR_INTERRUPTED`: what was to be published or told
// was not; a query may have been received, and may still be answered; a tree that was to start is shut
// down, one that ends or is drained, and a supervisor that was called, go on; a runtime is closed. A
// language whose signal handlers run between its own instructions runs them there.
int64_t mycelium_on_wait(MyceliumLook look, void *user);

// Publishes a value of another version than the contract's: `version` and `root_len` say which, and how long
// its root is. It waits.
int64_t mycelium_publish_version(MyceliumHandle runtime,
                                 uint16_t type_id,
                                 uint16_t version,
                                 uint32_t root_len,
                                 const uint8_t *bytes,
                                 size_t len);

// Publishes `count` values of `stride` bytes each, which lie one behind the other. It waits. It returns how
// many were published, `count`, or the error of the first that was not; `published`, if it is not null, has
// how many were.
int64_t mycelium_publish_array(MyceliumHandle runtime,
                               uint16_t type_id,
                               const uint8_t *bytes,
                               size_t stride,
                               size_t count,
                               size_t *published);

// What the bus counts, as text for people. It writes at most `len` bytes to `out`, the last of them 0, and
// returns how long the text is without that: if that is `len` or more, the text was cut.
int64_t mycelium_stats_text(MyceliumHandle runtime, char *out, size_t len);

// The counters of the topic of one message. All are 0 where nobody has used it.
int64_t mycelium_topic_stats(MyceliumHandle runtime, uint16_t type_id, struct MyceliumTopicStats *stats);

// A publisher of the message with this type id, in the version of the runtime's contract. The message is
// looked up here, where `mycelium_publish` looks it up for each value. Any number of threads may use it,
// until `mycelium_free`; the runtime may be closed before.
int64_t mycelium_publisher_create(MyceliumHandle runtime, uint16_t type_id, MyceliumHandle *publisher);

// Publishes a value as `mycelium_publish` does, in fewer instructions: it keeps the thread while a `BLOCK`
// subscriber is full, and from an actor's callback it is the actor who publishes.
int64_t mycelium_publisher_publish(MyceliumHandle publisher, const uint8_t *bytes, size_t len);

// The same without waiting: `MYCELIUM_ERROR_FULL` instead.
int64_t mycelium_publisher_try_publish(MyceliumHandle publisher, const uint8_t *bytes, size_t len);

// Receives the messages of these topics from now on, when it is asked. `topics`: names with commas between
// them; one that ends with `*` stands for all that begin so. `#7` among them: of these topics, only the
// messages with type id 7, and others named so. `policy`: one of `MYCELIUM_POLICY_*`; `capacity`: how many
// messages may wait, 0 for the usual. A reader serves one thread at a time. `mycelium_free` ends it.
int64_t mycelium_reader_create(MyceliumHandle runtime,
                               const char *topics,
                               int32_t policy,
                               uint32_t capacity,
                               MyceliumHandle *reader);

// Waits until a message is there, at most `limit_ms`, or without a limit if that is below zero: 1 if one is,
// else 0. Another thread that frees the reader ends the wait, with `MYCELIUM_ERROR_HANDLE`.
int64_t mycelium_wait(MyceliumHandle reader, int64_t limit_ms);

// Copies the messages that wait into `out`, as many as fit and `most` at most, each behind its
// `MyceliumRecord`; how many. It does not wait. `MYCELIUM_ERROR_BUFFER`: not one fits, and none is lost; the
// text says how long it is.
int64_t mycelium_read(MyceliumHandle reader, uint8_t *out, size_t len, size_t most);

// Copies the values that wait into `out`, one directly behind the other, as many as fit; how many. All are
// of one message of fixed size, each as long as its root in the contract's version. It does not wait.
// `MYCELIUM_ERROR_BUFFER`: the next message is another one, or of an older version; `mycelium_read` reads
// it.
int64_t mycelium_read_array(MyceliumHandle reader, uint16_t type_id, uint8_t *out, size_t len);

// Has `callback` called for each message of these topics (see `mycelium_reader_create`) from now on, in
// order, on one thread that serves all callbacks of the runtime. A failure is logged and counted, and the
// next message comes. `release`, if not null, is called with `user` when it is used no more: also where this
// fails. `mycelium_free` of the subscription waits for the callback that runs, unless it is called from
// there, or `mycelium_runtime_close` has given that callback up (`MYCELIUM_ERROR_CALLBACK`).
int64_t mycelium_subscribe(MyceliumHandle runtime,
                           const char *topics,
                           int32_t policy,
                           uint32_t capacity,
                           MyceliumCallback callback,
                           void *user,
                           MyceliumRelease release,
                           MyceliumHandle *subscription);

// How many callbacks of this runtime have failed.
int64_t mycelium_failures(MyceliumHandle runtime);

// Answers the query whose callback runs on this thread, with a value of the current version of this message,
// which is copied. The last call counts.
int64_t mycelium_reply(uint16_t type_id, const uint8_t *bytes, size_t len);

// Has the `timer` of this actor called with this number after `delay_ns`, once, or each time that it has
// passed if `repeats` is not 0. It takes the place of the timer with the same number, and ends with this
// life of the actor.
int64_t mycelium_self_schedule(uint64_t number, uint64_t delay_ns, int32_t repeats);

// Calls off the timer of this actor with this number: 1 if there was one, else 0.
int64_t mycelium_self_cancel(uint64_t number);

// Has the `down` of this actor called with this number when that one has ended; soon if it has.
int64_t mycelium_self_watch(MyceliumHandle other, uint64_t number);

// Ends this actor, normally, after this callback.
int64_t mycelium_self_stop(void);

// Says that this actor counts as started, where `ready_when_told` is set.
int64_t mycelium_self_ready(void);

// The time on the bus's clock, in nanoseconds since 1970.
int64_t mycelium_self_now(int64_t *now_ns);

// The id of this actor, which its messages have as their sender.
int64_t mycelium_self_id(uint64_t *id);

// Begins the description of a supervisor: one-for-one, one restart in 5 s. Nothing runs before
// `mycelium_tree_start`.
int64_t mycelium_supervisor_create(const char *name, MyceliumHandle *supervisor);

// Which children are restarted when one ends: one of `MYCELIUM_STRATEGY_*`.
int64_t mycelium_supervisor_strategy(MyceliumHandle supervisor, int32_t strategy);

// How many restarts are allowed within `period_ms`. One more ends this supervisor, and the one above
// decides.
int64_t mycelium_supervisor_intensity(MyceliumHandle supervisor, uint32_t restarts, uint64_t period_ms);

// How long a child waits for its restart: `initial_ms`, doubled with each failure up to `cap_ms`, with a
// share of `jitter` (0 to 1) that is random, and from the beginning again after `reset_after_ms` without a
// failure.
int64_t mycelium_supervisor_backoff(MyceliumHandle supervisor,
                                    uint64_t initial_ms,
                                    uint64_t cap_ms,
                                    double jitter,
                                    uint64_t reset_after_ms);

// Adds an actor after the other children. The description that `actor` points to is copied. Its `release`
// is called when it is used no more: also where this fails, unless `actor` cannot be read.
int64_t mycelium_supervisor_add_actor(MyceliumHandle supervisor,
                                      MyceliumHandle runtime,
                                      const char *name,
                                      const struct MyceliumActor *actor);

// Adds a supervisor below another, after the other children. Its handle describes nothing after this, and is
// freed as every other.
int64_t mycelium_supervisor_add_supervisor(MyceliumHandle supervisor, MyceliumHandle below);

// Starts a tree, and waits until all its children run. The handle of the supervisor describes nothing after
// this, also where it fails, and is freed as every other.
int64_t mycelium_tree_start(MyceliumHandle runtime, MyceliumHandle supervisor, MyceliumHandle *tree);

// Ends a tree, its children in reverse order, within `limit_ms`. Not to be called from a callback.
int64_t mycelium_tree_shutdown(MyceliumHandle tree, uint64_t limit_ms);

// Whether a tree has ended, or does within `limit_ms`: 1, else 0. Why it has ended is written to `reason` as
// `mycelium_stats_text` does, if `reason` is not null.
int64_t mycelium_tree_ended(MyceliumHandle tree, uint64_t limit_ms, char *reason, size_t len);

// Stops the child at this path (`root/desk`); it is not restarted. Not to be called from a callback.
int64_t mycelium_tree_terminate(MyceliumHandle tree, const char *path);

// Starts the child at this path, which has ended, again. Not to be called from a callback.
int64_t mycelium_tree_restart(MyceliumHandle tree, const char *path);

// The address of an actor: of a C actor by its path, such as `root/desk`, or of a Rust one by the name that
// it was exposed with. It stays valid over restarts, and does not keep the actor alive.
int64_t mycelium_address(MyceliumHandle runtime, const char *name, MyceliumHandle *address);

// Whether the actor at this address has not ended: 1, else 0. One that waits for its restart has not.
int64_t mycelium_is_alive(MyceliumHandle address);

// Puts a value of the current version into the mailbox of one actor, and keeps the thread while that is
// full. 0 does not say that it was handled.
int64_t mycelium_tell(MyceliumHandle address, uint16_t type_id, const uint8_t *bytes, size_t len);

// Asks one actor, and waits for the answer at most `limit_ms`, or as long as it takes if that is below
// zero. The bytes that `answer` points to then are there until this thread asks again.
int64_t mycelium_ask(MyceliumHandle address,
                     uint16_t type_id,
                     const uint8_t *bytes,
                     size_t len,
                     int64_t limit_ms,
                     struct MyceliumMessage *answer);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MYCELIUM_H */
