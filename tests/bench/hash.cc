// How fast content is digested: `bench_hash FOLDER ROUNDS` digests every file below FOLDER as trainmake does
// on a first run, and with a bare loop of open, read and XXH3 on two threads, in turn. Prints both medians in
// seconds, and the bytes.
#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "cache/file_digests.h"
#include "engine/base/file_system.h"
#include "engine/base/host.h"
#include "engine/base/walk.h"

namespace trainmake {
namespace {

double seconds_of(const std::function<void()>& work) {
  const auto began = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void digest_as_trainmake(const std::string& top, const Walked& walked) {
  Tally tally;
  FileDigests digests(real_file_system(), real_clock(), top, top + "/.trainmake", tally);
  const auto digested = digests.digest("", walked.files, real_clock().now_ns());
  if (!digested || digested->digests.size() != walked.files.size()) std::abort();
}

// Each thread its own half, read into one buffer.
void digest_bare(const std::string& top, const Walked& walked) {
  std::atomic<std::uint64_t> all{0};
  const auto half = [&](std::size_t begin, std::size_t end) {
    std::vector<char> buffer(1U << 20U);
    XXH3_state_t* state = XXH3_createState();
    for (std::size_t i = begin; i < end; ++i) {
      const int file = open((top + "/" + walked.files[i].path).c_str(), O_RDONLY | O_CLOEXEC);
      if (file < 0) std::abort();
      XXH3_128bits_reset(state);
      for (ssize_t got = read(file, buffer.data(), buffer.size()); got > 0;
           got = read(file, buffer.data(), buffer.size()))
        XXH3_128bits_update(state, buffer.data(), static_cast<std::size_t>(got));
      close(file);
      all ^= XXH3_128bits_digest(state).low64;
    }
    XXH3_freeState(state);
  };
  const std::size_t middle = walked.files.size() / 2;
  std::jthread other([&] { half(0, middle); });
  half(middle, walked.files.size());
}

int bench(const std::string& top, int rounds) {
  WalkRequest request;
  request.top = top;
  request.include = {"**"};
  const auto walked = walk(real_file_system(), request);
  if (!walked) return 2;
  std::uint64_t bytes = 0;
  for (const WalkedFile& file : walked->files) bytes += file.stat.size;
  digest_bare(top, *walked);  // so that all of it is in memory
  std::vector<double> ours;
  std::vector<double> bare;
  for (int round = 0; round < rounds; ++round) {
    ours.push_back(seconds_of([&] { digest_as_trainmake(top, *walked); }));
    bare.push_back(seconds_of([&] { digest_bare(top, *walked); }));
  }
  std::printf("%.6f %.6f %llu\n", median(ours), median(bare), static_cast<unsigned long long>(bytes));
  return 0;
}

}  // namespace
}  // namespace trainmake

int main(int count, char** words) { return count == 3 ? trainmake::bench(words[1], std::atoi(words[2])) : 2; }
