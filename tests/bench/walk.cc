// The rival of a run that has nothing to do: lists every folder below one and looks at every file, on two
// threads, and does nothing else. Prints how many files it saw.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

namespace {

class Walk {
 public:
  explicit Walk(std::string top) { folders_.push_back(std::move(top)); }

  // Takes folders until none is left and nobody is at work on one.
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return !folders_.empty() || busy_ == 0; });
      if (folders_.empty()) return;
      const std::string folder = std::move(folders_.front());
      folders_.pop_front();
      ++busy_;
      lock.unlock();
      std::deque<std::string> below;
      look(folder, below);
      lock.lock();
      --busy_;
      for (std::string& path : below) folders_.push_back(std::move(path));
      changed_.notify_all();
    }
  }

  std::uint64_t files() const { return files_; }

 private:
  void look(const std::string& folder, std::deque<std::string>& below) {
    DIR* listing = opendir(folder.c_str());
    if (listing == nullptr) return;
    while (const dirent* entry = readdir(listing)) {
      if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
      if (entry->d_type == DT_DIR) {
        below.push_back(folder + "/" + entry->d_name);
        continue;
      }
      struct statx stat;
      if (statx(dirfd(listing), entry->d_name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &stat) == 0) ++files_;
    }
    closedir(listing);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> folders_;
  int busy_ = 0;
  std::atomic<std::uint64_t> files_{0};
};

}  // namespace

int main(int count, char** words) {
  if (count != 2) return 2;
  Walk walk(words[1]);
  std::jthread other([&] { walk.work(); });
  walk.work();
  other.join();
  std::printf("%llu\n", static_cast<unsigned long long>(walk.files()));
}
