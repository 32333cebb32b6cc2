/* The least that probing many targets can be: per round one burst of echo requests by sendmmsg, and their answers by
 * recvmmsg as they come. Nothing is remembered, judged or reported.
 *
 *   echo DEVICE FIRST_TARGET TARGETS INTERVAL_US
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_TARGETS = 1000, BATCH = 64, PAYLOAD = 16, BUFFER = 3 << 20 };

struct probe {
    struct icmphdr header;
    unsigned char payload[PAYLOAD];
};

static struct sockaddr_in addresses[MAX_TARGETS];
static struct probe probes[MAX_TARGETS];
static struct iovec vectors[MAX_TARGETS];
static struct mmsghdr out[MAX_TARGETS];

static unsigned char slots[BATCH][256];
static struct iovec room[BATCH];
static struct mmsghdr in[BATCH];

static uint16_t checksum(const void *data, size_t length)
{
    const uint16_t *words = data;
    uint32_t sum = 0;
    for (size_t i = 0; i < length / 2; i++)
        sum += words[i];
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t)~(sum + (sum >> 16));
}

static int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: echo DEVICE FIRST_TARGET TARGETS INTERVAL_US\n");
        return 2;
    }
    int count = atoi(argv[3]);
    int64_t interval_ns = atoll(argv[4]) * 1000;
    struct in_addr first;
    if (inet_pton(AF_INET, argv[2], &first) != 1 || count < 1 || count > MAX_TARGETS || interval_ns < 1) {
        fprintf(stderr, "no such targets or interval\n");
        return 2;
    }
    int fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP);
    int buffer = BUFFER;
    struct icmp_filter filter = {.data = ~(1u << ICMP_ECHOREPLY)};
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, argv[1], (socklen_t)strlen(argv[1]) + 1) != 0 ||
        setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof filter) != 0) {
        perror("socket");
        return 1;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    for (int i = 0; i < count; i++) {
        addresses[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(ntohl(first.s_addr) + (uint32_t)i)};
        vectors[i] = (struct iovec){&probes[i], sizeof probes[i]};
        out[i].msg_hdr = (struct msghdr){.msg_name = &addresses[i], .msg_namelen = sizeof addresses[i],
                                         .msg_iov = &vectors[i], .msg_iovlen = 1};
    }
    for (int i = 0; i < BATCH; i++) {
        room[i] = (struct iovec){slots[i], sizeof slots[i]};
        in[i].msg_hdr = (struct msghdr){.msg_iov = &room[i], .msg_iovlen = 1};
    }
    int64_t next_ns = now_ns();
    for (uint16_t round = 1;; round++) {
        for (int i = 0; i < count; i++) {
            probes[i].header = (struct icmphdr){.type = ICMP_ECHO, .un.echo = {.id = (uint16_t)getpid(), .sequence = htons(round)}};
            probes[i].header.checksum = checksum(&probes[i], sizeof probes[i]);
        }
        for (int sent = 0; sent < count;) {
            int now = sendmmsg(fd, out + sent, (unsigned)(count - sent < BATCH ? count - sent : BATCH), 0);
            sent += now > 0 ? now : 1;
        }
        next_ns += interval_ns;
        for (;;) {
            int64_t left_ns = next_ns - now_ns();
            if (left_ns <= 0)
                break;
            struct pollfd wait = {.fd = fd, .events = POLLIN};
            struct timespec left = {.tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000};
            if (ppoll(&wait, 1, &left, NULL) > 0)
                while (recvmmsg(fd, in, BATCH, MSG_DONTWAIT, NULL) == BATCH)
                    ;
        }
    }
}
