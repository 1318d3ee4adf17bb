/* Runtimes of a topology: what is wrong is said with its place and its remedy, and leaves nothing behind. */
#include <unistd.h>

#include "expect.h"

#define NODES "[[nodes]]\nname = \"desk\"\nservices = [\"means\"]\n[[nodes]]\nname = \"market\"\nservices = [\"feed\"]\n"

enum { TICK = 7 };

static const char TABLE[] = "mycelium contract 1\nschema acme 1\nmessage Tick 7 1 market.ticks\nfield price 1 i64\n"
                            "field at 1 i64\n";
static const int64_t VALUE[2] = {1, 2};
#define BYTES ((const uint8_t *)VALUE)

static char folder[] = "/tmp/mycelium-c-XXXXXX", file[64], sock[64];

static void write_file(const char *text) {
    FILE *out = fopen(file, "w");
    if (out == NULL || fputs(text, out) < 0 || fclose(out) != 0)
        exit(2);
}

static void arguments(void) {
    MyceliumHandle out = 99;
    write_file("socket_dir = \".\"\n[deployment]\nmode = \"bundled\"\n" NODES);
    WRONG(mycelium_runtime_create_from_topology(NULL, "desk", TABLE, NULL, &out), MYCELIUM_ERROR_ARGUMENT, "`topology` is null");
    WRONG(mycelium_runtime_create_from_topology(file, NULL, TABLE, NULL, &out), MYCELIUM_ERROR_ARGUMENT, "`name` is null");
    WRONG(mycelium_runtime_create_from_topology(file, "desk", NULL, NULL, &out), MYCELIUM_ERROR_ARGUMENT, "`contract` is null");
    WRONG(mycelium_runtime_create_from_topology(file, "\xff", TABLE, NULL, &out), MYCELIUM_ERROR_ARGUMENT, "UTF-8");
    WRONG(mycelium_runtime_create_from_topology(file, "desk", "none", NULL, &out), MYCELIUM_ERROR_CONTRACT, "contract");
    WRONG(mycelium_runtime_create_from_topology(file, "desk", TABLE, NULL, NULL), MYCELIUM_ERROR_ARGUMENT, "`runtime` is null");
    WRONG(mycelium_runtime_create_from_files(file, "desk", NULL, NULL, &out), MYCELIUM_ERROR_ARGUMENT, "`contract_path`");
    WRONG(mycelium_runtime_create_from_files(file, "desk", "/nowhere/x.yaml", NULL, &out), MYCELIUM_ERROR_CONTRACT, "/nowhere");
    MyceliumOptions options;
    memset(&options, 0, sizeof options);
    WRONG(mycelium_runtime_create_from_topology(file, "desk", TABLE, &options, &out), MYCELIUM_ERROR_ARGUMENT, "sizeof");
    EXPECT(access(sock, F_OK), -1);
}

static void mistakes(void) {
    MyceliumHandle out = 99, other;
    WRONG(mycelium_runtime_create_from_topology("/nowhere/t.toml", "desk", TABLE, NULL, &out), MYCELIUM_ERROR_TOPOLOGY,
          "/nowhere/t.toml", "check the path");
    WRONG(mycelium_runtime_create_from_topology(file, "fed", TABLE, NULL, &out), MYCELIUM_ERROR_TOPOLOGY, file, "`fed`",
          "`feed`");
    write_file("socket_dir = \".\"\n[deployment]\nmode = \"bundle\"\n" NODES);
    WRONG(mycelium_runtime_create_from_topology(file, "feed", TABLE, NULL, &out), MYCELIUM_ERROR_TOPOLOGY, file, "line 3",
          "`bundled`");
    EXPECT(out, 0);
    write_file("socket_dir = \".\"\n[deployment]\nmode = \"bundled\"\n" NODES);
    EXPECT(mycelium_runtime_create_from_topology(file, "means", TABLE, NULL, &out), 0);
    EXPECT(access(sock, F_OK), 0);
    WRONG(mycelium_runtime_create_from_topology(file, "desk", TABLE, NULL, &other), MYCELIUM_ERROR_TOPOLOGY, file, sock);
    EXPECT(mycelium_runtime_close(out, 60000), 0);
    EXPECT(access(sock, F_OK), -1);
    EXPECT(mycelium_free(out), 0);
}

/* Every name means the one process, which is linked with nobody. */
static void monolith(void) {
    write_file("socket_dir = \".\"\n[deployment]\nmode = \"monolith\"\n" NODES);
    const char *const names[] = {"desk", "means", "market", "feed"};
    MyceliumOptions options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.workers = 2;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        MyceliumHandle runtime, reader;
        int64_t value[2] = {0};
        EXPECT(mycelium_runtime_create_from_topology(file, names[i], TABLE, &options, &runtime), 0);
        EXPECT(mycelium_reader_create(runtime, "market.ticks", 0, 0, &reader), 0);
        EXPECT(mycelium_publish(runtime, TICK, BYTES, sizeof VALUE), 0);
        EXPECT(mycelium_read_array(reader, TICK, (uint8_t *)value, sizeof value), 1);
        EXPECT(value[1], 2);
        EXPECT(access(sock, F_OK), -1);
        EXPECT(mycelium_runtime_close(runtime, 60000), 0);
        EXPECT(mycelium_free(reader), 0);
        EXPECT(mycelium_free(runtime), 0);
    }
}

int main(void) {
    if (mkdtemp(folder) == NULL)
        return 2;
    snprintf(file, sizeof file, "%s/topology.toml", folder);
    snprintf(sock, sizeof sock, "%s/desk.sock", folder);
    arguments();
    mistakes();
    monolith();
    unlink(file);
    EXPECT(rmdir(folder), 0);
    printf("each mistake is said with its place\n");
    return 0;
}
