/* What the tests in C say when something is not as it should be. A file whose children of `fork` must not run
 * what their parent has to do at its end says `#define EXPECT_EXIT _exit` before this. */
#ifndef MYCELIUM_TESTS_EXPECT_H
#define MYCELIUM_TESTS_EXPECT_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mycelium.h"

#ifndef EXPECT_EXIT
#define EXPECT_EXIT exit
#endif

#define EXPECT(call, wanted)                                                                                            \
    do {                                                                                                                \
        int64_t got_ = (call);                                                                                          \
        if (got_ != (wanted)) {                                                                                         \
            fprintf(stderr, "%s:%d: %s is %" PRId64 " and not %" PRId64 ": %s\n", __FILE__, __LINE__, #call, got_,      \
                    (int64_t)(wanted), mycelium_error());                                                               \
            EXPECT_EXIT(1);                                                                                             \
        }                                                                                                               \
    } while (0)

/* An error of this kind, whose text has each of these words. */
#define WRONG(call, wanted, ...)                                                                                        \
    do {                                                                                                                \
        EXPECT(call, wanted);                                                                                           \
        const char *text_ = mycelium_error(), *words_[] = {__VA_ARGS__};                                                \
        for (size_t i_ = 0; i_ < sizeof words_ / sizeof *words_; i_++)                                                  \
            if (strstr(text_, words_[i_]) == NULL) {                                                                    \
                fprintf(stderr, "%s:%d: \"%s\" does not say \"%s\"\n", __FILE__, __LINE__, text_, words_[i_]);          \
                EXPECT_EXIT(1);                                                                                         \
            }                                                                                                           \
    } while (0)

#endif
