// A server on a free port of this machine that answers each connection's one request with the bytes that a
// function gives, be they http or not; no bytes cut the connection. One that answers `keep-alive` is asked
// more over its connection, before any other. Smaller than a library, and it can misbehave.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <functional>
#include <string>
#include <thread>

#include "engine/base/descriptor.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

namespace trainmake {

class LoopbackServer {
 public:
  using Answer =
      std::function<std::string(const std::string& request)>;  // REQUIRES: safe to call from another thread

  explicit LoopbackServer(Answer answer) : answer_(std::move(answer)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    CHECK(::bind(listening_.get(), generic, size) == 0 && ::listen(listening_.get(), 16) == 0);
    CHECK(::getsockname(listening_.get(), generic, &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] { serve(); });
  }
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;
  ~LoopbackServer() { ::shutdown(listening_.get(), SHUT_RDWR); }

  std::string url(std::string_view path) const { return cat("http://127.0.0.1:", port_, path); }

 private:
  void serve() {
    while (true) {
      const Descriptor connection(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!connection) return;
      for (bool is_kept = true; is_kept;) {
        const std::string request = receive(connection.get());
        const std::string answer = request.empty() ? "" : answer_(request);
        ::send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
        is_kept = answer.find("Connection: keep-alive") != answer.npos;
      }
    }
  }

  // Head and as much body as it announces.
  static std::string receive(int connection) {
    std::string request;
    std::size_t wanted = std::string::npos;
    char buffer[4096];
    while (request.size() < wanted) {
      const ssize_t count = ::recv(connection, buffer, sizeof buffer, 0);
      if (count <= 0) break;
      request.append(buffer, static_cast<std::size_t>(count));
      const std::size_t head = request.find("\r\n\r\n");
      if (head == request.npos) continue;
      const std::size_t length = request.find("Content-Length: ");
      wanted = head + 4 + (length < head ? std::stoul(request.substr(length + 16)) : 0);
    }
    return request;
  }

  Answer answer_;
  Descriptor listening_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  int port_ = 0;
  std::jthread thread_;
};

}  // namespace trainmake
