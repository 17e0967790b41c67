/*
 * For LD_PRELOAD: the allocation that a test names fails, like that of a machine without memory.
 *
 * FAILING_MALLOC names a file that the test shares with the process: one `struct side` for the
 * program and a second one for its parser helper. Nothing is counted before the test sets `armed`,
 * so that one process can live through many failures. posix_spawn hands the library on to the
 * helper, which gets no environment of its own.
 *
 * The real functions are found by dlsym: those of libc, or those of a sanitizer, which then sees
 * what a path of failure does with memory.
 */
#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

enum { SIDES = 2, PLACE_BYTES = 2000 };

/* OpenSSL allocates thousands of times to start: to be looked at apart from all others. */
enum whose { EVERYBODYS, NOT_LIBCRYPTOS, LIBCRYPTOS };

/* As failing.py packs it. */
struct side {
    atomic_uint_fast64_t armed;
    uint64_t fail_at; /* the first that fails, from 1; 0: none */
    uint64_t fail_n;  /* how many fail from there on */
    uint64_t whose;   /* an enum whose: which are counted, and may fail */
    atomic_uint_fast64_t seen;
    atomic_uint_fast64_t failed;
    char
        place[PLACE_BYTES]; /* who asked for the first that failed: object+offset, callers behind */
    uint8_t padding[2048 - 6 * 8 - PLACE_BYTES];
};

static_assert(sizeof(struct side) == 2048, "the test maps this");

static struct side *side;
static const char *preload;
static const char *control;
static bool is_helper;
static _Thread_local bool inside; /* while a place is written down: libgcc may allocate */

/* A call stack being written down. */
struct stack {
    char text[PLACE_BYTES];
    size_t len;
    bool sanitizers; /* one of its own allocations, which it cannot do without */
};

static _Unwind_Reason_Code write_frame(struct _Unwind_Context *frame, void *context)
{
    struct stack *stack = context;
    Dl_info info;
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): that is how the unwinder gives it */
    const char *at = (const char *)_Unwind_GetIP(frame);
    if (dladdr(at, &info) == 0 || info.dli_fname == NULL)
        return _URC_NO_REASON;
    const char *slash = strrchr(info.dli_fname, '/');
    const char *name = slash != NULL ? slash + 1 : info.dli_fname;
    if (strncmp(name, "libasan", 7) == 0 || strncmp(name, "libtsan", 7) == 0)
        stack->sanitizers = true;
    size_t left = PLACE_BYTES - stack->len;
    int len = snprintf(stack->text + stack->len, left, "%s+%#tx ", name,
                       at - (const char *)info.dli_fbase);
    if (len < 0 || (size_t)len >= left)
        return _URC_END_OF_STACK;
    stack->len += (size_t)len;
    return _URC_NO_REASON;
}

/* False: it must not fail. */
static bool note_failure(void)
{
    struct stack stack = {.len = 0};
    inside = true;
    _Unwind_Backtrace(write_frame, &stack);
    inside = false;
    if (stack.sanitizers)
        return false;
    if (atomic_fetch_add(&side->failed, 1) == 0)
        memcpy(side->place, stack.text, stack.len);
    return true;
}

static bool counts(const void *caller)
{
    Dl_info info;
    if (side->whose == EVERYBODYS)
        return true;
    bool known = dladdr(caller, &info) != 0 && info.dli_fname != NULL;
    bool libcryptos = known && strstr(info.dli_fname, "/libcrypto.so") != NULL;
    return libcryptos == (side->whose == LIBCRYPTOS);
}

static bool fails(const void *caller)
{
    if (side == NULL || inside || atomic_load(&side->armed) == 0 || !counts(caller))
        return false;
    uint64_t n = atomic_fetch_add(&side->seen, 1) + 1;
    if (side->fail_at == 0 || n < side->fail_at || n - side->fail_at >= side->fail_n)
        return false;
    if (!note_failure())
        return false;
    errno = ENOMEM;
    return true;
}

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL)
        _exit(99);
    return found;
}

/* Found at the first call, which may come before any constructor; finding it twice is harmless. */
#define REAL(name)                                                                                 \
    static _Atomic(__typeof__(&(name))) real;                                                      \
    if (real == NULL)                                                                              \
    real = (__typeof__(&(name)))next(#name)

/* Ours, under the names of libc. */
void *our_malloc(size_t size) __asm__("malloc");
void *our_calloc(size_t n, size_t size) __asm__("calloc");
void *our_realloc(void *old, size_t size) __asm__("realloc");
void *our_reallocarray(void *old, size_t n, size_t size) __asm__("reallocarray");
void *our_aligned_alloc(size_t align, size_t size) __asm__("aligned_alloc");
int our_posix_memalign(void **out, size_t align, size_t size) __asm__("posix_memalign");
char *our_strdup(const char *text) __asm__("strdup");
int our_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                    const posix_spawnattr_t *attributes, char *const arguments[],
                    char *const environment[]) __asm__("posix_spawn");

void *our_malloc(size_t size)
{
    REAL(malloc);
    return fails(__builtin_return_address(0)) ? NULL : real(size);
}

void *our_calloc(size_t n, size_t size)
{
    REAL(calloc);
    return fails(__builtin_return_address(0)) ? NULL : real(n, size);
}

void *our_realloc(void *old, size_t size)
{
    REAL(realloc);
    return fails(__builtin_return_address(0)) ? NULL : real(old, size);
}

void *our_reallocarray(void *old, size_t n, size_t size)
{
    REAL(reallocarray);
    return fails(__builtin_return_address(0)) ? NULL : real(old, n, size);
}

void *our_aligned_alloc(size_t align, size_t size)
{
    REAL(aligned_alloc);
    return fails(__builtin_return_address(0)) ? NULL : real(align, size);
}

int our_posix_memalign(void **out, size_t align, size_t size)
{
    REAL(posix_memalign);
    return fails(__builtin_return_address(0)) ? ENOMEM : real(out, align, size);
}

/* A sanitizer's own strdup allocates past us. */
char *our_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = our_malloc(size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

int our_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                    const posix_spawnattr_t *attributes, char *const arguments[],
                    char *const environment[])
{
    REAL(posix_spawn);
    char first[4096];
    char second[4096];
    char third[] = "FAILING_MALLOC_HELPER=1";
    char fourth[] = "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0";
    char *ours[] = {first, second, third, fourth, NULL};
    snprintf(first, sizeof(first), "LD_PRELOAD=%s", preload != NULL ? preload : "");
    snprintf(second, sizeof(second), "FAILING_MALLOC=%s", control != NULL ? control : "");
    return real(pid, path, actions, attributes, arguments, side != NULL ? ours : environment);
}

__attribute__((constructor)) static void find_control(void)
{
    /* NOLINTBEGIN(concurrency-mt-unsafe): before main, there is one thread */
    control = getenv("FAILING_MALLOC");
    preload = getenv("LD_PRELOAD");
    is_helper = getenv("FAILING_MALLOC_HELPER") != NULL;
    /* NOLINTEND(concurrency-mt-unsafe) */
    int fd = control != NULL ? open(control, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *shared =
        mmap(NULL, SIDES * sizeof(struct side), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (shared != MAP_FAILED)
        side = (struct side *)shared + (is_helper ? 1 : 0);
    /* cppcheck-suppress memleak ; for the life of the process */
}
