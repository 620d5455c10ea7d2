// Counts the calls that a program makes to the file system below one folder, and at one of them ends the program or refuses the call.
//
//   LD_PRELOAD=shim.so TINYMOE_SHIM="folder=/tmp/run;at=17;act=kill-before" program ...
//
//   folder=PATH   only calls on names below it count; nothing counts without it
//   log=FILE      every counted call: number, name, path, and the second path, or the size of what is opened or flushed
//   reads=1       reading and listing count too
//   at=N          the call to act at, from 1; 0: none
//   act=          kill-before, kill-after, kill-mid (half of a write is done), fail, short (half of a write, then the next call fails)
//   errno=E       what a refused call says
//   last=1        all later calls fail too
//   delay=US      sleep before every counted call, up to so many microseconds
//
// shim_arm(order) sets the same from within. The libc that a library is found in by dlsym gives our functions as well.

#undef _FORTIFY_SOURCE
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MOST_FDS = 4096, PATH_BYTES = 1024 };
enum act { NONE, KILL_BEFORE, KILL_AFTER, KILL_MID, FAIL, SHORT };

static char folder[PATH_BYTES];
static size_t folder_length;
static int log_fd = -1, reads, to_the_end, refused_errno, delay;
static long at, calls;
static enum act act;
static unsigned noise;
static char *paths[MOST_FDS]; // of open files below the folder

static void *next(const char *name);

static const char *value_of(const char *order, const char *key, char *value)
{
    size_t length = strlen(key);
    for (const char *part = order; part != NULL && *part; part = strchr(part, ';') ? strchr(part, ';') + 1 : NULL)
    {
        if (strncmp(part, key, length) == 0 && part[length] == '=')
        {
            size_t bytes = strcspn(part + length + 1, ";");
            bytes = bytes < PATH_BYTES - 1 ? bytes : PATH_BYTES - 1;
            memcpy(value, part + length + 1, bytes);
            value[bytes] = 0;
            return value;
        }
    }

    value[0] = 0;
    return value;
}

void shim_arm(const char *order)
{
    char value[PATH_BYTES];
    static const char *const names[] = { "", "kill-before", "kill-after", "kill-mid", "fail", "short" };
    if (log_fd >= 0)
        syscall(SYS_close, log_fd);
    log_fd = -1;
    calls = 0;
    value_of(order, "folder", folder);
    folder_length = strlen(folder);
    reads = atoi(value_of(order, "reads", value));
    at = atol(value_of(order, "at", value));
    refused_errno = atoi(value_of(order, "errno", value));
    to_the_end = atoi(value_of(order, "last", value));
    delay = atoi(value_of(order, "delay", value));
    noise = (unsigned)getpid();
    value_of(order, "act", value);
    act = NONE;
    for (int i = 1; i <= SHORT; i++)
        act = strcmp(value, names[i]) == 0 ? (enum act)i : act;
    if (*value_of(order, "log", value))
    {
        int fd = (int)syscall(SYS_openat, AT_FDCWD, value, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
        log_fd = fcntl(fd, F_DUPFD_CLOEXEC, 900);
        syscall(SYS_close, fd);
    }
}

long shim_calls(void) { return calls; }

__attribute__((constructor)) static void begin(void)
{
    const char *order = getenv("TINYMOE_SHIM");
    if (order != NULL)
        shim_arm(order);
}

// Whether a name is the folder's or below it, and the whole name.
static int is_ours(int at_fd, const char *name, char *full)
{
    if (folder_length == 0 || name == NULL)
        return 0;
    if (name[0] == '/' || at_fd == AT_FDCWD)
    {
        char here[PATH_BYTES];
        if (name[0] == '/')
            snprintf(full, PATH_BYTES, "%s", name);
        else if (getcwd(here, sizeof here) != NULL)
            snprintf(full, PATH_BYTES, "%.500s/%.500s", here, name);
        else
            return 0;
    }
    else if (at_fd >= 0 && at_fd < MOST_FDS && paths[at_fd] != NULL)
        snprintf(full, PATH_BYTES, "%.500s/%.500s", paths[at_fd], name);
    else
        return 0;
    return strncmp(full, folder, folder_length) == 0 && (full[folder_length] == '/' || full[folder_length] == 0);
}

static void opened(int fd, const char *full)
{
    if (fd >= 0 && fd < MOST_FDS)
    {
        free(paths[fd]);
        paths[fd] = strdup(full);
    }
}

static const char *path_of(int fd) { return folder_length > 0 && fd >= 0 && fd < MOST_FDS ? paths[fd] : NULL; }

static void say_size(char size[32], int is_known, const struct stat *is)
{
    size[0] = 0;
    if (is_known && S_ISREG(is->st_mode))
        snprintf(size, 32, "%lld", (long long)is->st_size);
}

static void die(void)
{
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        pause();
}

// Counts a call. 1: it must fail, with errno set; 2: do half of it, then see what comes; 0: do it.
static int count(const char *call, const char *path, const char *other, int is_write)
{
    if (delay > 0)
        usleep((useconds_t)((noise = noise * 1664525u + 1013904223u) >> 8) % (useconds_t)delay);
    long number = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    if (log_fd >= 0)
    {
        char line[3 * PATH_BYTES];
        int bytes = snprintf(line, sizeof line, "%ld\t%s\t%s\t%s\n", number, call, path, other == NULL ? "" : other);
        if (syscall(SYS_write, log_fd, line, bytes) != bytes)
            die(); // a log with a hole proves nothing
    }

    int is_it = at > 0 && number == at, is_later = at > 0 && number > at;
    if (is_it && act == KILL_BEFORE)
        die();
    if (is_it && is_write && (act == KILL_MID || act == SHORT))
        return 2;
    if (is_it && act == KILL_MID)
        die();
    if ((is_it && (act == FAIL || act == SHORT)) || (is_later && to_the_end && (act == FAIL || act == SHORT))
        || (act == SHORT && is_later && number == at + 1))
    {
        errno = refused_errno;
        return 1;
    }

    return 0;
}

static void after(void)
{
    if (act == KILL_AFTER && at > 0 && __atomic_load_n(&calls, __ATOMIC_SEQ_CST) >= at)
    {
        int error = errno;
        die();
        errno = error;
    }
}

static void after_half(void)
{
    if (act == KILL_MID)
        die();
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (real == NULL) \
        real = (type (*)(__VA_ARGS__))next(#name)

// Calls on one name.
#define ON_NAME(name, parameters, arguments, at_fd, path) \
    int name parameters \
    { \
        static int (*real) parameters; \
        if (real == NULL) \
            real = (int (*) parameters)next(#name); \
        char full[PATH_BYTES]; \
        if (!is_ours(at_fd, path, full)) \
            return real arguments; \
        if (count(#name, full, NULL, 0)) \
            return -1; \
        int result = real arguments; \
        after(); \
        return result; \
    }

ON_NAME(unlink, (const char *path), (path), AT_FDCWD, path)
ON_NAME(unlinkat, (int fd, const char *path, int flags), (fd, path, flags), fd, path)
ON_NAME(mkdir, (const char *path, mode_t mode), (path, mode), AT_FDCWD, path)
ON_NAME(mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode), fd, path)
ON_NAME(rmdir, (const char *path), (path), AT_FDCWD, path)
ON_NAME(truncate, (const char *path, off_t length), (path, length), AT_FDCWD, path)
ON_NAME(truncate64, (const char *path, off64_t length), (path, length), AT_FDCWD, path)
ON_NAME(symlink, (const char *target, const char *path), (target, path), AT_FDCWD, path)

// Calls on two names, counted where either is ours.
#define ON_NAMES(name, parameters, arguments, from_fd, from, to_fd, to) \
    int name parameters \
    { \
        static int (*real) parameters; \
        if (real == NULL) \
            real = (int (*) parameters)next(#name); \
        char first[PATH_BYTES], second[PATH_BYTES]; \
        int first_is_ours = is_ours(from_fd, from, first), second_is_ours = is_ours(to_fd, to, second); \
        if (!first_is_ours && !second_is_ours) \
            return real arguments; \
        if (count(#name, first_is_ours ? first : from, second_is_ours ? second : to, 0)) \
            return -1; \
        int result = real arguments; \
        after(); \
        return result; \
    }

ON_NAMES(rename, (const char *from, const char *to), (from, to), AT_FDCWD, from, AT_FDCWD, to)
ON_NAMES(renameat, (int a, const char *from, int b, const char *to), (a, from, b, to), a, from, b, to)
ON_NAMES(renameat2, (int a, const char *from, int b, const char *to, unsigned flags), (a, from, b, to, flags), a, from, b, to)
ON_NAMES(link, (const char *from, const char *to), (from, to), AT_FDCWD, from, AT_FDCWD, to)
ON_NAMES(linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags), a, from, b, to)

// Calls on an open file.
#define ON_FILE(type, name, parameters, arguments, fd) \
    type name parameters \
    { \
        static type (*real) parameters; \
        if (real == NULL) \
            real = (type (*) parameters)next(#name); \
        const char *path = path_of(fd); \
        if (path == NULL) \
            return real arguments; \
        if (count(#name, path, NULL, 0)) \
            return -1; \
        type result = real arguments; \
        after(); \
        return result; \
    }

#define ON_FLUSH(name) \
    int name(int fd) \
    { \
        REAL(int, name, int); \
        const char *path = path_of(fd); \
        struct stat is; \
        char size[32]; \
        if (path == NULL) \
            return real(fd); \
        say_size(size, log_fd >= 0 && fstat(fd, &is) == 0, &is); \
        if (count(#name, path, size, 0)) \
            return -1; \
        int result = real(fd); \
        after(); \
        return result; \
    }

ON_FLUSH(fsync)
ON_FLUSH(fdatasync)
ON_FILE(int, ftruncate, (int fd, off_t length), (fd, length), fd)
ON_FILE(int, ftruncate64, (int fd, off64_t length), (fd, length), fd)
ON_FILE(int, fallocate, (int fd, int mode, off_t start, off_t length), (fd, mode, start, length), fd)
ON_FILE(int, fallocate64, (int fd, int mode, off64_t start, off64_t length), (fd, mode, start, length), fd)
ON_FILE(int, fchmod, (int fd, mode_t mode), (fd, mode), fd)
ON_FILE(ssize_t, sendfile, (int fd, int in, off_t *start, size_t bytes), (fd, in, start, bytes), fd)
ON_FILE(ssize_t, sendfile64, (int fd, int in, off64_t *start, size_t bytes), (fd, in, start, bytes), fd)
ON_FILE(ssize_t, copy_file_range, (int in, off64_t *start, int fd, off64_t *to, size_t bytes, unsigned flags),
    (in, start, fd, to, bytes, flags), fd)

// Writes, of which half may be done.
#define ON_WRITE(name, parameters, arguments, half_arguments) \
    ssize_t name parameters \
    { \
        static ssize_t (*real) parameters; \
        if (real == NULL) \
            real = (ssize_t (*) parameters)next(#name); \
        const char *path = path_of(fd); \
        if (path == NULL) \
            return real arguments; \
        switch (count(#name, path, NULL, bytes > 1)) \
        { \
            case 1: return -1; \
            case 2: \
            { \
                ssize_t half = real half_arguments; \
                after_half(); \
                return half; \
            } \
        } \
        ssize_t result = real arguments; \
        after(); \
        return result; \
    }

ON_WRITE(write, (int fd, const void *from, size_t bytes), (fd, from, bytes), (fd, from, bytes / 2))
ON_WRITE(pwrite, (int fd, const void *from, size_t bytes, off_t start), (fd, from, bytes, start), (fd, from, bytes / 2, start))
ON_WRITE(pwrite64, (int fd, const void *from, size_t bytes, off64_t start), (fd, from, bytes, start), (fd, from, bytes / 2, start))
// Of several pieces, all but the last are half.
ON_WRITE(writev, (int fd, const struct iovec *from, int bytes), (fd, from, bytes), (fd, from, bytes - 1))
ON_WRITE(pwritev, (int fd, const struct iovec *from, int bytes, off_t start), (fd, from, bytes, start), (fd, from, bytes - 1, start))
ON_WRITE(pwritev64, (int fd, const struct iovec *from, int bytes, off64_t start), (fd, from, bytes, start), (fd, from, bytes - 1, start))

// Reads, which count only if asked for.
#define ON_READ(name, parameters, arguments) \
    ssize_t name parameters \
    { \
        static ssize_t (*real) parameters; \
        if (real == NULL) \
            real = (ssize_t (*) parameters)next(#name); \
        const char *path = reads ? path_of(fd) : NULL; \
        if (path != NULL && count(#name, path, NULL, 0)) \
            return -1; \
        ssize_t result = real arguments; \
        if (path != NULL) \
            after(); \
        return result; \
    }

ON_READ(read, (int fd, void *to, size_t bytes), (fd, to, bytes))
ON_READ(pread, (int fd, void *to, size_t bytes, off_t start), (fd, to, bytes, start))
ON_READ(pread64, (int fd, void *to, size_t bytes, off64_t start), (fd, to, bytes, start))
ON_READ(preadv, (int fd, const struct iovec *to, int count_, off_t start), (fd, to, count_, start))
ON_READ(preadv64, (int fd, const struct iovec *to, int count_, off64_t start), (fd, to, count_, start))

// A file that cannot be closed is closed all the same, as the kernel does it.
int close(int fd)
{
    REAL(int, close, int);
    const char *path = path_of(fd);
    if (path == NULL)
        return real(fd);
    int refused = count("close", path, NULL, 0), error = errno;
    free(paths[fd]);
    paths[fd] = NULL;
    int result = real(fd);
    after();
    if (refused)
        errno = error;
    return refused ? -1 : result;
}

static int open_as(const char *call, int (*real)(int, const char *, int, ...), int fd, const char *name, int flags, mode_t mode)
{
    char full[PATH_BYTES], size[32];
    struct stat is;
    if (!is_ours(fd, name, full))
        return real(fd, name, flags, mode);
    say_size(size, log_fd >= 0 && stat(full, &is) == 0, &is);
    if (count(call, full, size, 0))
        return -1;
    int result = real(fd, name, flags, mode);
    opened(result, full);
    after();
    return result;
}

static mode_t mode_in(int flags, va_list rest) { return flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(rest, int) : 0; }

#define ON_OPEN(name, fd, declared_fd, call) \
    int name(declared_fd const char *path, int flags, ...) \
    { \
        static int (*real)(int, const char *, int, ...); \
        if (real == NULL) \
            real = (int (*)(int, const char *, int, ...))next(call); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = mode_in(flags, rest); \
        va_end(rest); \
        return open_as(#name, real, fd, path, flags, mode); \
    }

#define NO_FD
#define WITH_FD int fd,

ON_OPEN(open, AT_FDCWD, NO_FD, "openat")
ON_OPEN(open64, AT_FDCWD, NO_FD, "openat64")
ON_OPEN(openat, fd, WITH_FD, "openat")
ON_OPEN(openat64, fd, WITH_FD, "openat64")

int creat(const char *path, mode_t mode) { return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return open64(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

DIR *opendir(const char *path)
{
    REAL(DIR *, opendir, const char *);
    char full[PATH_BYTES];
    if (!reads || !is_ours(AT_FDCWD, path, full))
        return real(path);
    return count("opendir", full, NULL, 0) ? NULL : real(path);
}

static void *(*real_dlsym)(void *, const char *);

static void *next(const char *name)
{
    if (real_dlsym == NULL)
    {
        static const char *const versions[] = { "GLIBC_2.34", "GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.27" };
        for (int i = 0; i < 4 && real_dlsym == NULL; i++)
            real_dlsym = (void *(*)(void *, const char *))dlvsym(RTLD_NEXT, "dlsym", versions[i]);
    }

    void *found = real_dlsym(RTLD_NEXT, name);
    if (found == NULL)
        _exit(126);
    return found;
}

#define OURS(name) { #name, (void *)name }

// Whoever looks a function up in libc itself gets ours, as whoever is linked to it does.
void *dlsym(void *handle, const char *name)
{
    static const struct { const char *name; void *function; } ours[] =
    {
        OURS(open), OURS(open64), OURS(openat), OURS(openat64), OURS(creat), OURS(creat64), OURS(write), OURS(pwrite), OURS(pwrite64),
        OURS(writev), OURS(pwritev), OURS(pwritev64), OURS(fsync), OURS(fdatasync), OURS(rename), OURS(renameat), OURS(renameat2),
        OURS(link), OURS(linkat), OURS(symlink), OURS(unlink), OURS(unlinkat), OURS(mkdir), OURS(mkdirat), OURS(rmdir), OURS(truncate),
        OURS(truncate64), OURS(ftruncate), OURS(ftruncate64), OURS(fallocate), OURS(fallocate64), OURS(fchmod), OURS(sendfile),
        OURS(sendfile64), OURS(copy_file_range), OURS(close), OURS(read), OURS(pread), OURS(pread64), OURS(preadv), OURS(preadv64),
        OURS(opendir),
    };
    next("close");
    if (handle != RTLD_NEXT)
    {
        for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        {
            if (strcmp(name, ours[i].name) == 0)
                return ours[i].function;
        }
    }

    return real_dlsym(handle, name);
}
