/* The exec probe: counts itself in slot INDEX of COUNTER, and with a port asks the app there and waits for its answer.
 *
 *   probe COUNTER INDEX [BASE]
 *
 * Without a C library where we know how: starting one costs more than all the rest of a probe (0.3 ms in a virtual
 * machine that traps cpuid), and the figure is about who runs the probe.
 */
#include <arpa/inet.h>
#include <asm/unistd.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>

#ifdef __x86_64__
static long call(long number, long a, long b, long c, long d, long e, long f) {
    long result;
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#else
long syscall(long number, ...);
#define call syscall
#endif

static int number(const char *text) {
    int value = 0;
    while (*text >= '0' && *text <= '9') value = value * 10 + *text++ - '0';
    return value;
}

static int probe(long argc, char **argv) {
    if (argc < 3) return 2;
    long index = number(argv[2]);
    long fd = call(__NR_openat, AT_FDCWD, (long)argv[1], O_RDWR, 0, 0, 0);
    if (fd < 0) return 2;
    long slots = call(__NR_mmap, 0, (index + 1) * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (slots < 0 && slots > -4096) return 2;
    __atomic_fetch_add((uint64_t *)slots + index, 1, __ATOMIC_RELAXED);
    if (argc > 3) {
        struct sockaddr_in a = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)(number(argv[3]) + index)),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
        char buffer[256];
        long s = call(__NR_socket, AF_INET, SOCK_STREAM, 0, 0, 0, 0);
        if (call(__NR_connect, s, (long)&a, sizeof a, 0, 0, 0)) return 100;
        if (call(__NR_write, s, (long)"?\n", 2, 0, 0, 0) != 2) return 100;
        if (call(__NR_read, s, (long)buffer, sizeof buffer, 0, 0, 0) <= 0) return 100;
    }
    return 0;
}

#ifdef __x86_64__
__asm__(".globl _start\n_start:\n    mov %rsp, %rdi\n    and $-16, %rsp\n    call begin\n    hlt\n");
__attribute__((used, noreturn)) static void begin(long *stack) {
    call(__NR_exit_group, probe(stack[0], (char **)(stack + 1)), 0, 0, 0, 0, 0);
    __builtin_unreachable();
}
#else
int main(int argc, char **argv) { return probe(argc, argv); }
#endif
