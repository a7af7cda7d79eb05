/* What `init` does for a supervisor that leaves its orphans to it (monit): run a command, adopt and reap, pass signals on.
 *
 *   reaper COMMAND [ARGUMENT ...]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child;

static void pass(int number) { kill(child, number); }

int main(int argc, char **argv) {
    int status;
    pid_t ended;
    if (argc < 2 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) return 2;
    child = fork();
    if (child == 0) {
        execv(argv[1], argv + 1);
        _exit(127);
    }
    signal(SIGTERM, pass);
    signal(SIGINT, pass);
    signal(SIGHUP, pass);
    for (;;) {
        ended = waitpid(-1, &status, 0);
        if (ended == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (ended < 0 && errno != EINTR) return 2;
    }
}
