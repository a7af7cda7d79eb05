/* The exec probe: counts itself in slot INDEX of COUNTER, and with a port asks the app there and waits for its answer.
 *
 *   probe COUNTER INDEX [BASE]
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    int index = atoi(argv[2]), fd = open(argv[1], O_RDWR | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st)) return 2;
    uint64_t *slots = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (slots == MAP_FAILED) return 2;
    __atomic_fetch_add(slots + index, 1, __ATOMIC_RELAXED);
    if (argc > 3) {
        struct sockaddr_in a = {
            .sin_family = AF_INET, .sin_port = htons((uint16_t)(atoi(argv[3]) + index)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
        char buffer[256];
        int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(s, (struct sockaddr *)&a, sizeof a) || write(s, "?\n", 2) != 2 || read(s, buffer, sizeof buffer) <= 0)
            return 100;
    }
    return 0;
}
