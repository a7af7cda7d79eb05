/* The application under test: notes CLOCK_MONOTONIC as its first act, tells the bench, then sleeps.
 *
 *   app FIFO INDEX [key=value ...]
 *
 * Without arguments they are read from the file ./app.args, one a line (for supervisors whose `run` takes none).
 * One record of 24 bytes is written to the FIFO in one write: a pipe keeps their order and wakes the reader.
 *
 *   ready=FD        write a newline to FD once up (s6's readiness)
 *   pidfile=PATH    write the pid there
 *   port=BASE       listen on 127.0.0.1:BASE+INDEX; answer whoever sends something as an HTTP server would
 *   counter=PATH    with port: add one to slot INDEX of this file for each connection taken
 *   log=BYTES       wait for SIGUSR1, then write so many bytes in numbered lines of 100 to stdout
 *   daemon=1        fork, leave the session, fork again; the first two processes end with 0
 *   fork=1          fork once and let the first process end with 0 (for monit, which waits for its start program)
 *   stubborn=1      have a child that ignores TERM, INT and HUP (the app itself obeys)
 *   once=1          end with 0 instead of sleeping
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { STARTED = 1, CHILD = 2, LOG_BEGIN = 3, LOG_END = 4 };

struct record {
    uint64_t at;
    uint32_t index, pid, ppid, kind;
};

/* On x86-64 the first act is the first instruction, ahead of the C library's start (0.3 ms where cpuid is trapped);
 * the linker is told to enter here. Elsewhere it is the first act of main. */
struct timespec first_act;
#ifdef __x86_64__
__asm__(".globl bench_start\nbench_start:\n"
        "    mov $228, %eax\n" /* clock_gettime */
        "    mov $1, %edi\n"   /* CLOCK_MONOTONIC */
        "    lea first_act(%rip), %rsi\n"
        "    syscall\n"
        "    jmp _start\n");
#endif

static const char *fifo;
static uint32_t which;

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void tell(uint64_t at, uint32_t kind) {
    struct record r = {at, which, (uint32_t)getpid(), (uint32_t)getppid(), kind};
    int fd = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return; /* nobody measures any more */
    while (write(fd, &r, sizeof r) < 0 && (errno == EAGAIN || errno == EINTR)) {
        struct pollfd p = {fd, POLLOUT, 0};
        poll(&p, 1, -1);
    }
    close(fd);
}

static void serve(int port, const char *counter) {
    static const char answer[] = "HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {0, 200000};
    volatile uint64_t *slot = NULL;
    char buffer[1024];
    int one = 1, s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(s, (struct sockaddr *)&a, sizeof a) || listen(s, 16)) {
        perror("cannot listen");
        exit(1);
    }
    if (counter) {
        struct stat st;
        int fd = open(counter, O_RDWR | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st)) exit(1);
        slot = (uint64_t *)mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) + which;
        close(fd);
    }
    for (;;) {
        int c = accept(s, NULL, NULL);
        if (c < 0) continue;
        if (slot) ++*slot;
        setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (read(c, buffer, sizeof buffer) > 0 && write(c, answer, sizeof answer - 1) < 0) { /* it went away */ }
        close(c);
    }
}

static void chatter(long bytes) {
    enum { LINE = 100, LINES = 640 };
    static char block[LINE * LINES + 1];
    sigset_t set;
    int number;
    long line = 0, last = bytes / LINE;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigwait(&set, &number);
    tell(now(), LOG_BEGIN);
    while (line < last) {
        long n = last - line < LINES ? last - line : LINES, done = 0;
        for (long i = 0; i < n; i++) {
            char *at = block + i * LINE;
            memset(at, 'x', LINE);
            long v = line + i;
            at[0] = '#';
            for (int k = 10; k > 0; k--, v /= 10) at[k] = (char)('0' + v % 10);
            at[11] = ' ';
            at[LINE - 1] = '\n';
        }
        while (done < n * LINE) {
            ssize_t w = write(1, block + done, (size_t)(n * LINE - done));
            if (w < 0 && errno != EINTR && errno != EAGAIN) _exit(1);
            if (w > 0) done += w;
        }
        line += n;
    }
    tell(now(), LOG_END);
}

int main(int argc, char **argv) {
    uint64_t at = first_act.tv_sec ? (uint64_t)first_act.tv_sec * 1000000000u + (uint64_t)first_act.tv_nsec : now();
    static char text[8192];
    static char *words[32];
    const char *pidfile = NULL, *counter = NULL;
    int ready = -1, port = 0, daemonise = 0, leave = 0, stubborn = 0, once = 0;
    long log = 0;

    if (argc < 3) {
        int fd = open("app.args", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, text, sizeof text - 1) < 0) return 2;
        close(fd);
        argc = 1;
        for (char *w = strtok(text, "\n"); w && argc < 31; w = strtok(NULL, "\n")) words[argc++] = w;
        argv = words;
    }
    if (argc < 3) return 2;
    fifo = argv[1];
    which = (uint32_t)atoi(argv[2]);
    for (int i = 3; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (!value++) return 2;
        if (!strncmp(argv[i], "ready=", 6)) ready = atoi(value);
        else if (!strncmp(argv[i], "pidfile=", 8)) pidfile = value;
        else if (!strncmp(argv[i], "port=", 5)) port = atoi(value) + (int)which;
        else if (!strncmp(argv[i], "counter=", 8)) counter = value;
        else if (!strncmp(argv[i], "log=", 4)) log = atol(value);
        else if (!strncmp(argv[i], "daemon=", 7)) daemonise = 1;
        else if (!strncmp(argv[i], "fork=", 5)) leave = 1;
        else if (!strncmp(argv[i], "stubborn=", 9)) stubborn = 1;
        else if (!strncmp(argv[i], "once=", 5)) once = 1;
        else return 2;
    }
    if (log) { /* blocked before anybody can know the pid and send it */
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_BLOCK, &set, NULL);
    }
    if (leave && fork()) _exit(0);
    if (daemonise) {
        if (fork()) _exit(0);
        setsid();
        if (fork()) _exit(0);
    }
    tell(at, STARTED);
    if (pidfile) {
        char line[32];
        int n = snprintf(line, sizeof line, "%d\n", (int)getpid());
        int fd = open(pidfile, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0 || write(fd, line, (size_t)n) != n) return 1;
        close(fd);
    }
    if (ready >= 0) {
        if (write(ready, "\n", 1) < 0) { /* nobody wants to know */ }
        close(ready);
    }
    if (stubborn && !fork()) {
        signal(SIGTERM, SIG_IGN);
        signal(SIGINT, SIG_IGN);
        signal(SIGHUP, SIG_IGN);
        tell(now(), CHILD);
        for (;;) pause();
    }
    if (once) return 0;
    if (log) chatter(log);
    if (port) serve(port, counter);
    for (;;) pause();
}
