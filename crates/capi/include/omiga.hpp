// C++17 around omiga.h, header only: handles that free themselves, views in place of pointers and lengths.
//
// - What is called before and after the loop throws `omiga::error`; what is called in it (`step`, `choose`, `tick`, `reset`)
//   is noexcept and says all in what it returns. "Real-time" is as in omiga.h.
// - Handles are moved, not copied; `policy::fork` makes a second stream. One that was moved from may only be assigned to
//   or destroyed. Threads are as in omiga.h: stop them before a handle is destroyed. One that is in use elsewhere at
//   that moment is leaked, not freed under its user.
// - Texts in the structs of omiga.h belong to the handle that gave them.
#ifndef OMIGA_HPP
#define OMIGA_HPP

#include <omiga.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace omiga {

/// Why there is no policy or controller: an `OMIGA_...` code, and `what()` for people.
class error : public std::runtime_error {
public:
    error(omiga_code code, const char *what) : std::runtime_error(what), code_(code) {}
    omiga_code code() const noexcept { return code_; }

private:
    omiga_code code_;
};

/// Elements of somebody else: an array, a `std::vector`, a `std::span`, whatever has `data()` and `size()`.
template <typename T> class span {
public:
    constexpr span() noexcept = default;
    constexpr span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    template <std::size_t N> constexpr span(T (&array)[N]) noexcept : data_(array), size_(N) {}
    template <typename C, typename = std::enable_if_t<
                              std::is_convertible_v<decltype(std::declval<C &>().data()), T *> &&
                              std::is_convertible_v<decltype(std::declval<C &>().size()), std::size_t>>>
    constexpr span(C &&from) noexcept : data_(from.data()), size_(from.size()) {}
    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }

private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

namespace detail {

inline void check(omiga_code code) {
    if (code != OMIGA_OK) {
        throw error(code, omiga_last_error());
    }
}

/// For calls that leave no text.
inline void check_quiet(omiga_code code) {
    if (code != OMIGA_OK) {
        throw error(code, omiga_code_text(code));
    }
}

template <typename T, omiga_code (*Free)(T *)> struct freed {
    void operator()(T *handle) const noexcept { static_cast<void>(Free(handle)); }
};
template <typename T, omiga_code (*Free)(T *)> using handle = std::unique_ptr<T, freed<T, Free>>;

inline const char *or_null(const std::string &text) noexcept { return text.empty() ? nullptr : text.c_str(); }
template <typename T> const T *or_null(const std::vector<T> &values) noexcept {
    return values.empty() ? nullptr : values.data();
}

} // namespace detail

/// What a step or a tick came to.
struct status : omiga_status {
    status(const omiga_status &from) noexcept : omiga_status(from) {}
    /// All is well.
    bool ok() const noexcept { return code == OMIGA_OK; }
    /// There is an action in the buffer: the policy's, a held one or the safe one, see `source`.
    bool has_action() const noexcept { return source != OMIGA_SOURCE_NONE; }
    /// A line for people. Allocates: not for the loop.
    std::string text() const {
        std::array<char, OMIGA_STATUS_TEXT_SIZE> line{};
        omiga_status_text(this, line.data(), line.size());
        return line.data();
    }
};

/// `omiga_load_options` with its defaults, and texts that it owns; an empty one is not given.
struct load_options : omiga_load_options {
    load_options() : omiga_load_options() { detail::check(omiga_load_options_default(this, sizeof(omiga_load_options))); }
    std::string onnxruntime_library, public_key, task, contract_sha256;

    /// For C, as long as these options live and do not change.
    omiga_load_options for_c() const noexcept {
        omiga_load_options c = *this;
        c.onnxruntime_library = detail::or_null(onnxruntime_library);
        c.public_key = detail::or_null(public_key);
        c.task = detail::or_null(task);
        c.contract_sha256 = detail::or_null(contract_sha256);
        return c;
    }
};

/// `omiga_controller_options` with its defaults, and arrays that it owns; an empty one is not given.
struct controller_options : omiga_controller_options {
    controller_options() : omiga_controller_options() {
        detail::check(omiga_controller_options_default(this, sizeof(omiga_controller_options)));
    }
    std::vector<float> safe_action, max_rate, safe_rate;
    std::vector<std::uint8_t> out_of_range_of;

    /// For C, as long as these options live and do not change.
    omiga_controller_options for_c() const noexcept {
        omiga_controller_options c = *this;
        c.safe_action = detail::or_null(safe_action);
        c.safe_action_len = safe_action.size();
        c.max_rate = detail::or_null(max_rate);
        c.max_rate_len = max_rate.size();
        c.safe_rate = detail::or_null(safe_rate);
        c.safe_rate_len = safe_rate.size();
        c.out_of_range_of = detail::or_null(out_of_range_of);
        c.out_of_range_of_len = out_of_range_of.size();
        return c;
    }
};

/// One agent's policy and one stream of observations.
class policy {
public:
    /// `agent` may be empty if there is only one.
    static policy load(const std::string &path, const std::string &agent, const load_options &options = {}) {
        const omiga_load_options c = options.for_c();
        return made([&](omiga_policy **place) {
            return omiga_policy_load(path.c_str(), detail::or_null(agent), &c, place);
        });
    }
    /// The files of a bundle.
    static policy load(span<const omiga_file> files, const std::string &agent, const load_options &options = {}) {
        const omiga_load_options c = options.for_c();
        return made([&](omiga_policy **place) {
            return omiga_policy_load_memory(files.data(), files.size(), detail::or_null(agent), &c, place);
        });
    }
    /// The same weights, a new stream.
    policy fork() const {
        return made([&](omiga_policy **place) { return omiga_policy_fork(get(), place); });
    }

    omiga_info info() const { return read<omiga_info>(omiga_policy_get_info); }
    omiga_identity identity() const { return read<omiga_identity>(omiga_policy_get_identity); }
    omiga_field obs_field(std::size_t index) const { return field(omiga_policy_get_obs_field, index); }
    omiga_field action_field(std::size_t index) const { return field(omiga_policy_get_action_field, index); }
    /// Where the field of this name stands.
    std::size_t obs_index(const std::string &name) const { return index(omiga_policy_obs_index, name); }
    std::size_t action_index(const std::string &name) const { return index(omiga_policy_action_index, name); }
    omiga_selftest run_selftest() const { return read<omiga_selftest>(omiga_policy_run_selftest); }

    /// Real-time.
    status step(span<const float> obs, span<float> action) noexcept {
        return omiga_policy_step(get(), obs.data(), obs.size(), action.data(), action.size());
    }
    /// Real-time. In `mask` 0 is not available.
    status choose(span<const float> obs, span<const std::uint8_t> mask, std::uint32_t &choice) noexcept {
        return omiga_policy_choose(get(), obs.data(), obs.size(), mask.data(), mask.size(), &choice);
    }
    /// Real-time.
    omiga_code reset() noexcept { return omiga_policy_reset(get()); }

    omiga_policy *get() const noexcept { return handle_.get(); }

private:
    friend class controller;
    friend class team;
    explicit policy(omiga_policy *handle) noexcept : handle_(handle) {}
    template <typename Make> static policy made(Make make) {
        omiga_policy *handle = nullptr;
        detail::check(make(&handle));
        return policy(handle);
    }
    template <typename T, typename Get> T read(Get get_from) const {
        T found{};
        detail::check(get_from(get(), &found, sizeof found));
        return found;
    }
    template <typename Get> omiga_field field(Get get_from, std::size_t index) const {
        omiga_field found{};
        detail::check(get_from(get(), index, &found, sizeof found));
        return found;
    }
    template <typename Find> std::size_t index(Find find, const std::string &name) const {
        std::size_t found = 0;
        detail::check(find(get(), name.c_str(), &found));
        return found;
    }
    detail::handle<omiga_policy, omiga_policy_free> handle_;
};

/// All policies of a bundle; equal weights are held once.
class team {
public:
    static team load(const std::string &path, const load_options &options = {}) {
        const omiga_load_options c = options.for_c();
        return made([&](omiga_team **place) { return omiga_team_load(path.c_str(), &c, place); });
    }
    static team load(span<const omiga_file> files, const load_options &options = {}) {
        const omiga_load_options c = options.for_c();
        return made([&](omiga_team **place) {
            return omiga_team_load_memory(files.data(), files.size(), &c, place);
        });
    }

    omiga_team_info info() const {
        omiga_team_info found{};
        detail::check(omiga_team_get_info(get(), &found, sizeof found));
        return found;
    }
    std::size_t agent_index(const std::string &agent) const {
        std::size_t found = 0;
        detail::check(omiga_team_agent_index(get(), agent.c_str(), &found));
        return found;
    }
    /// One agent's policy, for a controller; it may outlive the team.
    omiga::policy policy(std::size_t index) const {
        return omiga::policy::made([&](omiga_policy **place) { return omiga_team_policy(get(), index, place); });
    }

    /// Real-time. Rows of all agents, one after the other.
    status step(span<const float> obs, span<float> actions) noexcept {
        return omiga_team_step(get(), obs.data(), obs.size(), actions.data(), actions.size());
    }
    /// Real-time.
    status choose(span<const float> obs, span<const std::uint8_t> masks, span<std::uint32_t> choices) noexcept {
        return omiga_team_choose(get(), obs.data(), obs.size(), masks.data(), masks.size(), choices.data(),
                                 choices.size());
    }
    /// Real-time.
    omiga_code reset() noexcept { return omiga_team_reset(get()); }

    omiga_team *get() const noexcept { return handle_.get(); }

private:
    explicit team(omiga_team *handle) noexcept : handle_(handle) {}
    template <typename Make> static team made(Make make) {
        omiga_team *handle = nullptr;
        detail::check(make(&handle));
        return team(handle);
    }
    detail::handle<omiga_team, omiga_team_free> handle_;
};

/// A policy in a control loop.
class controller {
public:
    /// Shares the weights of `policy`, which may be destroyed.
    explicit controller(const omiga::policy &policy, const controller_options &options = {}) {
        const omiga_controller_options c = options.for_c();
        omiga_controller *handle = nullptr;
        detail::check(omiga_controller_new(policy.get(), &c, &handle));
        handle_.reset(handle);
    }

    /// Real-time. Look at `source` of what it returns first: it says whose action is in the buffer.
    status tick(std::uint64_t now_ns, span<const float> obs, std::uint64_t stamp_ns, span<float> action) noexcept {
        return omiga_controller_tick(get(), now_ns, obs.data(), obs.size(), stamp_ns, action.data(), action.size());
    }
    /// Real-time, for a policy that chooses.
    status tick(std::uint64_t now_ns, span<const float> obs, std::uint64_t stamp_ns, span<const std::uint8_t> mask,
                std::uint32_t &choice) noexcept {
        return omiga_controller_tick_choice(get(), now_ns, obs.data(), obs.size(), stamp_ns, mask.data(), mask.size(),
                                            &choice);
    }
    /// Real-time.
    omiga_code reset() noexcept { return omiga_controller_reset(get()); }
    /// Real-time. Nobody knows where the actuators are.
    omiga_code reset_free() noexcept { return omiga_controller_reset_free(get()); }
    /// Real-time. The policy may act again after a fault.
    omiga_code resume() noexcept { return omiga_controller_resume(get()); }
    /// Real-time. An `OMIGA_FLAG_OBS_...` for each field, 0 for a good one.
    omiga_code bad_fields(span<const float> obs, span<std::uint32_t> flags) noexcept {
        return omiga_controller_bad_fields(get(), obs.data(), obs.size(), flags.data(), flags.size());
    }
    /// Real-time. The actuators are at `command` now.
    omiga_code reset_to(span<const float> command) noexcept {
        return omiga_controller_reset_to(get(), command.data(), command.size());
    }

    /// Any thread, beside ticks.
    omiga_stats stats() const {
        omiga_stats found{};
        detail::check_quiet(omiga_controller_get_stats(get(), &found, sizeof found));
        return found;
    }
    /// Any thread, beside ticks. 0 before the first tick.
    std::uint64_t next_tick_ns() const {
        std::uint64_t found = 0;
        detail::check_quiet(omiga_controller_next_tick_ns(get(), &found));
        return found;
    }
    /// Any thread, beside ticks.
    std::uint64_t period_ns() const noexcept { return omiga_controller_period_ns(get()); }
    /// Its policy: names, identity, self-test.
    omiga::policy policy() const {
        return omiga::policy::made([&](omiga_policy **place) { return omiga_controller_policy(get(), place); });
    }

    omiga_controller *get() const noexcept { return handle_.get(); }

private:
    detail::handle<omiga_controller, omiga_controller_free> handle_;
};

} // namespace omiga

#endif
