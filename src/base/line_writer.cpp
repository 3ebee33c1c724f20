#include "base/line_writer.hpp"

#include <algorithm>
#include <climits>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace seonchak {

LineWriter::~LineWriter() {
  if (own_pipe_ >= 0) close(own_pipe_);
}

// O_NONBLOCK is not set on the descriptor itself: it may be shared with other programs. A pipe opened anew
// has a mode of its own.
void LineWriter::look_where_it_leads() {
  struct stat status {};
  if (fstat(descriptor_, &status) != 0) return;
  if (status.st_dev == device_ && status.st_ino == node_) return;
  device_ = status.st_dev;
  node_ = status.st_ino;
  if (own_pipe_ >= 0) close(own_pipe_);
  own_pipe_ = -1;
  kind_ = Kind::other;
  if (S_ISREG(status.st_mode)) kind_ = Kind::file;
  if (S_ISSOCK(status.st_mode)) kind_ = Kind::socket;
  if (!S_ISFIFO(status.st_mode)) return;
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor_);
  own_pipe_ = open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

std::size_t LineWriter::put(std::string_view bytes) {
  if (kind_ == Kind::socket) {
    const auto sent = send(descriptor_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent > 0 ? static_cast<std::size_t>(sent) : 0;
  }
  if (kind_ == Kind::other && own_pipe_ < 0) {
    // What has any room takes so much at once.
    pollfd room{descriptor_, POLLOUT, 0};
    if (poll(&room, 1, 0) <= 0 || (room.revents & POLLOUT) == 0) return 0;
    bytes = bytes.substr(0, PIPE_BUF);
  }
  const auto written = ::write(own_pipe_ >= 0 ? own_pipe_ : descriptor_, bytes.data(), bytes.size());
  return written > 0 ? static_cast<std::size_t>(written) : 0;
}

bool LineWriter::ready() {
  while (!rest_.empty()) {
    const std::size_t taken = put(rest_);
    if (taken == 0) return false;
    rest_.erase(0, taken);
  }
  return true;
}

bool LineWriter::write(std::string_view line) {
  look_where_it_leads();
  if (!ready()) {
    ++dropped_;
    return false;
  }
  const std::size_t taken = put(line);
  if (taken == 0) {
    ++dropped_;
    return false;
  }
  rest_ = line.substr(taken);
  ready();
  return true;
}

}  // namespace seonchak
