# ::error::forged ##[error]forged
FROM testbed/debian:trixie AS first
ENV FORGED="::error::forged ##[set-output name=digest]forged"
LABEL ::error::forged="##[stop-commands]forged"
RUN <<::error::forged
printf '::add-mask::forged\n  ::set-output name=digest::forged\nx ##[error]forged\n'
printf 'a\r::set-output name=digest::forged\rb\r\n::error::forged\r\n'
printf '\0::error::forged\n#\0#[error]forged\n\377\376::error::forged\n\303##[error]forged\n'
printf '\033[2K::notice::forged\n##\033[K[error]forged\n\302\205::error::forged\n\342\200\250::error::forged\n'
head -c 1048576 /dev/zero | tr '\0' x; printf '##[error]forged\n'
printf '##[err'; sleep 0.3; printf 'or]forged\n:'; sleep 0.3; printf ':error::forged\n'
yes '::error::forged ##[error]forged' | head -n 100000
printf '::error::forged'
::error::forged
WORKDIR /::error::forged
FROM first AS second
RUN echo '::stop-commands::forged' >&2; echo '##[stop-commands]forged' >&2
