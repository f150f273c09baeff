#include "engine/base/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "engine/base/descriptor.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::int64_t kHostsOfANet = 254;

// A socket that holds a port of `host` while it lives.
Result<Descriptor> hold_port(const std::string& host, int& port) {
  Descriptor holder(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (!holder || inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1 ||
      bind(holder.get(), raw, size) != 0 || getsockname(holder.get(), raw, &size) != 0)
    return fail(system_error("Cannot find a free port at", host, errno).because(Blame::kStep));
  port = ntohs(address.sin_port);
  return holder;
}

}  // namespace

std::string loopback_host(std::int64_t node) {
  return cat("127.0.", node / kHostsOfANet, ".", 1 + node % kHostsOfANet);
}

Result<std::vector<int>> free_ports(const std::vector<std::string>& hosts) {
  std::vector<Descriptor> holders;
  std::vector<int> ports;
  while (ports.size() < hosts.size()) {
    int port = 0;
    TRY_ASSIGN(Descriptor holder, hold_port(hosts[ports.size()], port));
    holders.push_back(std::move(holder));
    if (std::find(ports.begin(), ports.end(), port) == ports.end()) ports.push_back(port);
  }
  return ports;
}

}  // namespace trainmake
