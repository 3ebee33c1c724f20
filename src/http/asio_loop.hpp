#pragma once
#include <memory>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/loop.hpp"

namespace seonchak {

/// The event loop of an io_context that one thread runs.
class AsioLoop final : public Loop {
 public:
  explicit AsioLoop(boost::asio::io_context& context) : context_(context) {}

  void post(std::function<void()> task) override { boost::asio::post(context_, std::move(task)); }

  void after(std::chrono::milliseconds delay, std::function<void()> task) override {
    auto timer = std::make_shared<boost::asio::steady_timer>(context_, delay);
    timer->async_wait([timer, task = std::move(task)](const boost::system::error_code& error) {
      if (!error) task();
    });
  }

 private:
  boost::asio::io_context& context_;
};

}  // namespace seonchak
