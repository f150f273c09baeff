// Ctrl-C: the first asks what runs to let go of its jobs, the second to stop at once. The handlers only write
// to a pipe; a thread of its own turns that into stop requests.
#pragma once

#include <stop_token>
#include <thread>

namespace trainmake {

// Until something is changed there is nothing to let go of: from here on Ctrl-C ends the process with its
// exit code at once. Called first of all; an Interrupts takes over from it.
void end_on_interrupt();

class Interrupts {
 public:
  Interrupts();  // takes SIGINT and SIGTERM; once per process
  ~Interrupts();
  std::stop_token first() const { return first_.get_token(); }

 private:
  void listen();
  std::stop_source first_;
  std::thread thread_;
};

}  // namespace trainmake
