import pytest

from maskedskipunet.data.web_login import Login, read_challenges

# RFC 7616, 3.9.1: a published example, to which the answers are held.
RFC = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
OWN_NONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_answer_to_a_digest_is_the_standards(
    monkeypatch: pytest.MonkeyPatch, algorithm: str, response: str
) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda count: OWN_NONCE)
    login = Login("Mufasa", "Circle of Life")

    assert login.take(read_challenges([RFC.format(algorithm)]))
    answer = login.answer("GET", "/dir/index.html")
    assert answer is not None
    assert f'response="{response}"' in answer
    assert 'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"' in answer
    assert "nc=00000001" in answer
    assert "nc=00000002" in str(login.answer("GET", "/dir/index.html"))  # the next request with the same nonce


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (['Basic realm="a"', 'Digest realm="a", nonce="1"'], "Digest by MD5"),
        (
            ['Digest realm="a", nonce="1", algorithm=MD5, Digest realm="a", nonce="2", algorithm="SHA-256"'],
            "Digest by SHA-256",
        ),
        (['Digest realm="a, b", nonce="1", algorithm=SHA-512-256, Basic realm="a"'], "Digest by SHA-512-256"),
        (['Negotiate, Basic realm="a"'], "Basic"),
        ([], "Basic"),  # a server that does not say how
    ],
)
def test_the_strongest_login_that_is_known_is_chosen(offered: list[str], chosen: str) -> None:
    login = Login("me", "word")

    assert login.answer("GET", "/") is None  # nothing is told before a server asks
    assert login.take(read_challenges(offered))
    assert login.scheme == chosen


@pytest.mark.parametrize("offered", ["Negotiate", 'Digest realm="a", nonce="1", qop="auth-int"', "Digest algorithm=X"])
def test_a_login_that_is_not_known_is_not_answered(offered: str) -> None:
    login = Login("me", "word")
    assert not login.take(read_challenges([offered]))
    assert login.answer("GET", "/") is None
