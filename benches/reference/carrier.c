/* The least that a carrier failover can be: one netlink socket hears that a link has lost its carrier, a second one
 * adds a default route by the other link and waits for the acknowledgement; when carrier is back the route goes again.
 *
 *   carrier WATCHED_INDEX OTHER_INDEX OTHER_GATEWAY METRIC
 */
#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
    struct nlmsghdr header;
    struct rtmsg route;
    struct rtattr gateway_head;
    uint32_t gateway;
    struct rtattr link_head;
    uint32_t link;
    struct rtattr metric_head;
    uint32_t metric;
};

static int open_netlink(uint32_t groups)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("netlink");
        exit(1);
    }
    return fd;
}

static struct rtattr head(unsigned short type)
{
    return (struct rtattr){.rta_len = RTA_LENGTH(sizeof(uint32_t)), .rta_type = type};
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: carrier WATCHED_INDEX OTHER_INDEX OTHER_GATEWAY METRIC\n");
        return 2;
    }
    int watched = atoi(argv[1]);
    struct request route = {
        .header = {.nlmsg_len = sizeof route},
        .route = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC,
                  .rtm_scope = RT_SCOPE_UNIVERSE, .rtm_type = RTN_UNICAST},
        .gateway_head = head(RTA_GATEWAY),
        .link_head = head(RTA_OIF),
        .link = (uint32_t)atoi(argv[2]),
        .metric_head = head(RTA_PRIORITY),
        .metric = (uint32_t)atoi(argv[4]),
    };
    if (inet_pton(AF_INET, argv[3], &route.gateway) != 1) {
        fprintf(stderr, "no address: %s\n", argv[3]);
        return 2;
    }
    int events = open_netlink(RTMGRP_LINK), requests = open_netlink(0);
    static char buffer[1 << 16];
    int moved = 0;
    for (;;) {
        int length = (int)recv(events, buffer, sizeof buffer, 0);
        for (struct nlmsghdr *message = (void *)buffer; NLMSG_OK(message, (unsigned)length);
             message = NLMSG_NEXT(message, length)) {
            const struct ifinfomsg *link = NLMSG_DATA(message);
            if (message->nlmsg_type != RTM_NEWLINK || link->ifi_index != watched)
                continue;
            int move = !(link->ifi_flags & IFF_LOWER_UP);
            if (move == moved)
                continue;
            route.header.nlmsg_type = move ? RTM_NEWROUTE : RTM_DELROUTE;
            route.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | (move ? NLM_F_CREATE | NLM_F_EXCL : 0);
            route.header.nlmsg_seq++;
            char answer[1024];
            if (send(requests, &route, sizeof route, 0) < 0 || recv(requests, answer, sizeof answer, 0) < 0) {
                perror("route");
                return 1;
            }
            const struct nlmsgerr *verdict = NLMSG_DATA((struct nlmsghdr *)answer);
            if (verdict->error != 0)
                fprintf(stderr, "route: %s\n", strerror(-verdict->error));
            moved = move;
        }
    }
}
